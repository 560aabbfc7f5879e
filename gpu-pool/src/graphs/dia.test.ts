import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import grouped from "../../test-fixtures/voice/dia-grouped.json";
import prompted from "../../test-fixtures/voice/dia-prompted.json";
import single from "../../test-fixtures/voice/dia-single.json";
import {
  type FixtureDtype,
  maxError,
  unpack,
  writeFormulaWeights,
} from "../../test-fixtures/voice/formula-weights.ts";
import { createSession, float32, floatOutput, int64, type Session } from "../onnx/session.ts";
import { openWeights } from "../weights/weight-set.ts";
import { DiaConfig } from "./dia-config.ts";
import { buildDiaDecoder } from "./dia-decoder.ts";
import { buildDiaEncoder } from "./dia-encoder.ts";
import { DIA_CPU, type DiaTarget } from "./dia-layers.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-dia-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TARGETS: Record<string, DiaTarget> = {
  cpu: DIA_CPU,
  "standard operators": { ...DIA_CPU, selfAttention: "plain" },
  "the CUDA graph in float32": {
    dtype: "float32",
    selfAttention: "gqa",
    cross: "projected",
    crossAttention: "mha",
    packedProjections: true,
  },
};

for (const [name, golden] of Object.entries({ grouped, prompted, single })) {
  describe(`Dia like transformers: ${name}`, () => {
    const config = DiaConfig.parse(golden.config);
    const weightsPath = () => join(folder, `${name}.safetensors`);
    beforeAll(() =>
      writeFormulaWeights(weightsPath(), golden.shapes, golden.gain, golden.dtype as FixtureDtype),
    );

    for (const [targetName, target] of Object.entries(TARGETS)) {
      for (const promptRows of [0, 4]) {
        test(`logits and attention, ${targetName}, ${promptRows} rows at once`, async () => {
          const weights = await openWeights([weightsPath()]);
          const layer = config.decoder.num_hidden_layers - 1;
          const encoderModel = buildDiaEncoder(config, weights, { crossOutputs: target.cross === "fed" });
          const encoder = await createSession(encoderModel, folder, { intraOpThreads: 1 });
          const model = buildDiaDecoder(config, weights, target, {
            alignmentHead: { layer, head: 0 },
            logits: true,
            reading: true,
          });
          const decoder = await createSession(model, folder, { intraOpThreads: 1 });
          const { logits, alignment, reading } = await teacherForce(encoder, decoder, promptRows);
          await encoder.release();
          await decoder.release();

          const channels = config.decoder.num_channels * config.decoder.vocab_size * 2;
          const stride = golden.logitStride;
          const skipped = Math.ceil((promptRows * channels) / stride);
          const expected = unpack(golden.logits).slice(skipped);
          const actual = logits.filter((_, i) => (i + promptRows * channels) % stride === 0);
          expect(maxError(actual, expected)).toBeLessThan(1e-4 * golden.logitStd);
          const textLength = golden.text.length;
          expect(maxError(alignment, unpack(golden.attention).slice(promptRows * textLength))).toBeLessThan(
            1e-4,
          );
          // The prompt's rows are read the same way as the frames: attention and its mean position.
          const rows = unpack(golden.attention).slice(0, promptRows * textLength);
          expect(maxError(reading.attention, rows)).toBeLessThan(1e-4);
          const heads = config.decoder.cross_num_attention_heads;
          const positions = reading.positions.slice(
            layer * heads * promptRows,
            (layer * heads + 1) * promptRows,
          );
          const means = Array.from({ length: promptRows }, (_, row) =>
            rows.slice(row * textLength, (row + 1) * textLength).reduce((sum, w, t) => sum + w * t, 0),
          );
          expect(maxError(positions, means)).toBeLessThan(1e-3);
        });
      }

      async function teacherForce(encoder: Session, decoder: Session, promptRows: number) {
        const text = new TextEncoder().encode(golden.text);
        const T = text.length;
        const { decoder: c } = config;
        const mask = float32(new Float32Array(2 * T).fill(1), [2, T]);
        const encoded = await encoder.run({
          input_ids: int64([...text, ...new Uint8Array(T)], [2, T]),
          mask,
        });
        const steps = golden.rows.length - promptRows;
        const past = float32(new Float32Array(0), [
          c.num_hidden_layers,
          2,
          c.num_key_value_heads,
          0,
          c.head_dim,
        ]);
        const { encoder_hidden: hidden, cross_k: crossK, cross_v: crossV } = encoded;
        if (!hidden) throw new Error("no encoder output");
        const K = 3;
        const next = [...golden.rows.slice(promptRows + 1), golden.rows[0] ?? []];
        const outputs = await decoder.run({
          n: int64([steps], []),
          prompt: int64(golden.rows.slice(0, promptRows).flat(), [1, promptRows, c.num_channels]),
          tok: int64(golden.rows[promptRows] ?? [], [1, c.num_channels]),
          ending: int64([-1], [1]),
          past_k: past,
          past_v: past,
          mask,
          ...(crossK && crossV ? { cross_k: crossK, cross_v: crossV } : { encoder_hidden: hidden }),
          forced: int64(next.flat(), [steps, 1, c.num_channels]),
          gumbel: float32(new Float32Array(steps * c.num_channels * K), [steps, 1, c.num_channels, K]),
          head_weights: float32(
            Float32Array.from({ length: c.num_hidden_layers * c.cross_num_attention_heads }, (_, i) =>
              i === (c.num_hidden_layers - 1) * c.cross_num_attention_heads ? 1 : 0,
            ),
            [c.num_hidden_layers, c.cross_num_attention_heads],
          ),
          params: float32(Float32Array.of(3, 1, 0.9), [3, 1]),
        });
        return {
          logits: floatOutput(outputs, "logits"),
          alignment: floatOutput(outputs, "alignment"),
          reading: {
            positions: floatOutput(outputs, "reading_positions"),
            attention: floatOutput(outputs, "reading_attention"),
          },
        };
      }
    }
  });
}
