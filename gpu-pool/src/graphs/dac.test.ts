import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import even from "../../test-fixtures/voice/dac-even.json";
import odd from "../../test-fixtures/voice/dac-odd.json";
import {
  type FixtureDtype,
  type FixtureTensor,
  formulaWeight,
  maxError,
  standardDeviation,
  unpack,
  writeFormulaWeights,
  writeTensors,
} from "../../test-fixtures/voice/formula-weights.ts";
import { createSession, float32, floatOutput, int64 } from "../onnx/session.ts";
import { openWeights } from "../weights/weight-set.ts";
import { DacConfig, decodeContext, decodedLength } from "./dac-config.ts";
import { buildDacDecoder } from "./dac-decoder.ts";
import { buildDacEncoder } from "./dac-encoder.ts";
import type { DacKernels } from "./dac-kernels.ts";

const KERNELS: readonly DacKernels[] = ["conv1d", "conv2d", "matmul"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-dac-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

for (const [name, golden] of Object.entries({ even, odd })) {
  describe(`DAC like transformers: ${name}`, () => {
    const config = DacConfig.parse(golden.config);
    const path = () => join(folder, `${name}.safetensors`);
    beforeAll(() => writeFormulaWeights(path(), golden.shapes, golden.gain, golden.dtype as FixtureDtype));

    test.each(KERNELS)("decode by %s", async (kernels) => {
      const model = buildDacDecoder(config, await openWeights([path()]), { kernels });
      const session = await createSession(model, folder, { intraOpThreads: 1 });
      const frames = golden.codes[0]?.length ?? 0;
      const codes = int64(golden.codes.flat(), [config.codebooks, frames]);
      const audio = floatOutput(await session.run({ audio_codes: codes }), "audio_values");
      const expected = unpack(golden.decoded);
      expect(audio.length).toBe(decodedLength(config, frames));
      expect(maxError(audio, expected)).toBeLessThan(1e-4 * standardDeviation(expected));
      await session.release();
    });

    test.each(KERNELS)("encode by %s", async (kernels) => {
      const model = buildDacEncoder(config, await openWeights([path()]), { kernels });
      const session = await createSession(model, folder, { intraOpThreads: 1 });
      const audio = unpack(golden.audio);
      const { audio_codes: codes } = await session.run({ audio_values: float32(audio, [audio.length]) });
      expect(Array.from(codes?.data ?? [], Number)).toEqual(golden.encoded.flat());
      await session.release();
    });
  });
}

for (const [name, length, direction] of [
  ["parametrizations", "parametrizations.weight.original0", "parametrizations.weight.original1"],
  ["hooks", "weight_g", "weight_v"],
] as const) {
  test.each(KERNELS)(
    `weight norm that was left in place as ${name} gives the same sound by %s`,
    async (kernels) => {
      const config = DacConfig.parse(odd.config);
      const tensors: Record<string, FixtureTensor> = {};
      for (const [key, shape] of Object.entries(odd.shapes)) {
        const values = formulaWeight(key, shape, odd.gain);
        const isConv = key.endsWith(".weight") && shape.length === 3;
        if (!isConv) {
          tensors[key] = { shape, values };
          continue;
        }
        const [rows = 1] = shape;
        const row = values.length / rows;
        const norms = Float32Array.from({ length: rows }, (_, r) =>
          Math.hypot(...values.subarray(r * row, (r + 1) * row)),
        );
        const path = key.slice(0, -".weight".length);
        tensors[`${path}.${length}`] = { shape: [rows, 1, 1], values: norms };
        tensors[`${path}.${direction}`] = { shape, values: values.map((x) => 3 * x) };
      }
      const path = join(folder, `${name}.safetensors`);
      await writeTensors(path, tensors, "float32");
      const weights = await openWeights([path]);
      const session = await createSession(buildDacDecoder(config, weights, { kernels }), folder, {
        intraOpThreads: 1,
      });
      const codes = int64(odd.codes.flat(), [config.codebooks, odd.codes[0]?.length ?? 0]);
      const audio = floatOutput(await session.run({ audio_codes: codes }), "audio_values");
      const expected = unpack(odd.decoded);
      expect(maxError(audio, expected)).toBeLessThan(1e-4 * standardDeviation(expected));
      await session.release();
    },
  );
}

test("a decode in pieces with enough context is the whole decode", async () => {
  const config = DacConfig.parse(even.config);
  const path = join(folder, "pieces.safetensors");
  await writeFormulaWeights(path, even.shapes, even.gain, "float32");
  const session = await createSession(buildDacDecoder(config, await openWeights([path])), folder, {
    intraOpThreads: 1,
  });
  const frames = 90;
  const row = (c: number) => Array.from({ length: frames }, (_, t) => (t * 31 + c * 17 + ((t * t) % 7)) % 64);
  const codes = Array.from({ length: config.codebooks }, (_, c) => row(c));
  const decode = async (from: number, to: number) => {
    const part = codes.flatMap((r) => r.slice(from, to));
    const feed = int64(part, [config.codebooks, to - from]);
    return floatOutput(await session.run({ audio_codes: feed }), "audio_values");
  };
  const whole = await decode(0, frames);
  const context = decodeContext(config);
  expect(context).toBeLessThan(30);
  const [from, to] = [40, 50];
  const piece = await decode(from - context, to + context);
  const middle = piece.slice(context * config.hop, (context + to - from) * config.hop);
  expect(maxError(middle, whole.slice(from * config.hop, to * config.hop))).toBeLessThan(1e-5);
  await session.release();
});
