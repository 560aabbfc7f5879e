import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createSession, type Feeds, float32, floatOutput, int64 } from "../onnx/session.ts";
import { openWeights } from "../weights/weight-set.ts";
import type { LoraTarget, OnnxModel } from "./builder/index.ts";
import { motionAdapterConfig, unetConfig, unetMotionShape } from "./config/unet.ts";
import { cpuTarget } from "./target/cpu.ts";
import { cudaTarget, plainNhwcTarget } from "./target/cuda.ts";
import { NATIVE_PARTS } from "./target/native-kernels.ts";
import type { LoraScope, Target } from "./target/target.ts";
import {
  inTemporaryFolder,
  type PackedTensor,
  readFixture,
  relativeError,
  seededInput,
  type TensorShapes,
  uniform,
  unpack,
  writeSeededWeights,
} from "./testing/seeded.ts";
import { buildUnetMotion, type UnetSizes } from "./unet-motion.ts";

setDefaultTimeout(60_000);

interface Run {
  readonly batch: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly tokens: number;
}

interface Fixture {
  readonly unet: { in_channels: number; cross_attention_dim: number; [field: string]: unknown };
  readonly adapter: unknown;
  readonly seed: number;
  readonly half: boolean;
  readonly tensors: { readonly unet: TensorShapes; readonly adapter: TensorShapes };
  readonly runs: readonly Run[];
  readonly outputs: readonly PackedTensor[];
  readonly lora?: {
    readonly paths: readonly string[];
    readonly ranks: readonly number[];
    readonly weights: readonly number[];
    readonly output: PackedTensor;
  };
}

async function build(
  fixture: Fixture,
  folder: string,
  options: { lora: LoraScope; sizes?: UnetSizes; target?: Target; reuse?: number; reserve?: boolean },
): Promise<OnnxModel> {
  const files = [join(folder, "unet.safetensors"), join(folder, "adapter.safetensors")] as const;
  await writeSeededWeights(files[0], fixture.tensors.unet, fixture.seed, fixture.half);
  await writeSeededWeights(files[1], fixture.tensors.adapter, fixture.seed, fixture.half);
  const shape = unetMotionShape(unetConfig.parse(fixture.unet), motionAdapterConfig.parse(fixture.adapter));
  return buildUnetMotion({ shape, weights: await openWeights(files), target: cpuTarget, ...options });
}

function feedsOf(fixture: Fixture, { batch, frames, height, width, tokens }: Run): Feeds {
  const seeded = (name: string, shape: number[]) => float32(seededInput(name, fixture.seed, shape), shape);
  const feeds = {
    sample: seeded("sample", [batch, fixture.unet.in_channels, frames, height, width]),
    timestep: float32(Float32Array.of(501.3), []),
    encoder_hidden_states: seeded("encoder_hidden_states", [batch, tokens, fixture.unet.cross_attention_dim]),
  };
  const inputDim = fixture.unet.projection_class_embeddings_input_dim;
  const timeDim = fixture.unet.addition_time_embed_dim;
  if (typeof inputDim !== "number" || typeof timeDim !== "number") return feeds;
  const ids = Array.from({ length: batch }, () => [1024, 768, 0, 16, 1024, 768]).flat();
  return {
    ...feeds,
    text_embeds: seeded("text_embeds", [batch, inputDim - 6 * timeDim]),
    time_ids: float32(Float32Array.from(ids), [batch, 6]),
  };
}

/** A and B of two adapters joined by rank, as unet.py makes them; the second skips every third module. */
function loraFeeds(fixture: Fixture, targets: readonly LoraTarget[], active: boolean): Feeds {
  const lora = fixture.lora;
  const order = new Map([...(lora?.paths ?? [])].sort().map((path, i) => [path, i]));
  const feeds: Record<string, ReturnType<typeof float32>> = {};
  for (const { path, in: width, out } of targets) {
    const index = order.get(path) ?? -1;
    const parts = (lora?.ranks ?? []).flatMap((rank, which) => {
      if (!active || index < 0 || (which === 1 && index % 3 === 0)) return [];
      const a = uniform(`${path}.A.${which}`, fixture.seed, rank * width).map((v) => v / Math.sqrt(width));
      const b = uniform(`${path}.B.${which}`, fixture.seed, out * rank);
      return [{ rank, a, b, strength: lora?.weights[which] ?? 0 }];
    });
    const rank = parts.reduce((sum, part) => sum + part.rank, 0);
    const b = new Float32Array(out * rank);
    for (let row = 0; row < out; row++) {
      let column = row * rank;
      for (const part of parts) {
        for (let r = 0; r < part.rank; r++)
          b[column++] = part.strength * Math.fround(part.b[row * part.rank + r] ?? 0);
      }
    }
    feeds[`lora.${path}.A`] = float32(Float32Array.from(parts.flatMap((part) => [...part.a])), [rank, width]);
    feeds[`lora.${path}.B`] = float32(b, [out, rank]);
  }
  return feeds;
}

const CASES = ["unet-sdxl", "unet-sd15", "unet-uneven"];

test.each(CASES)("%s agrees with diffusers for every size of one graph", (name) =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>(name);
    const model = await build(fixture, folder, { lora: false });
    const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
    for (const [i, run] of fixture.runs.entries()) {
      const outputs = await session.run(feedsOf(fixture, run));
      const wanted = fixture.outputs[i];
      if (!wanted) throw new Error("the fixture lacks an output");
      expect(outputs.out_sample?.shape).toEqual([...wanted.shape]);
      expect(relativeError(floatOutput(outputs, "out_sample"), unpack(wanted))).toBeLessThan(1e-4);
    }
    await session.release();
  }),
);

test.each(["unet-sdxl", "unet-uneven"])("%s with two LoRAs joined by rank equals merged weights", (name) =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>(name);
    const model = await build(fixture, folder, { lora: true });
    expect(model.loraTargets.map((t) => t.path).sort()).toEqual([...(fixture.lora?.paths ?? [])].sort());
    const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
    const [run] = fixture.runs;
    const [plain] = fixture.outputs;
    if (!run || !plain || !fixture.lora) throw new Error("the fixture lacks a run");
    const feeds = feedsOf(fixture, run);
    const none = await session.run({ ...feeds, ...loraFeeds(fixture, model.loraTargets, false) });
    expect(relativeError(floatOutput(none, "out_sample"), unpack(plain))).toBeLessThan(1e-4);
    const both = await session.run({ ...feeds, ...loraFeeds(fixture, model.loraTargets, true) });
    const merged = unpack(fixture.lora.output);
    expect(relativeError(floatOutput(both, "out_sample"), merged)).toBeLessThan(1e-5);
    expect(relativeError(unpack(plain), merged)).toBeGreaterThan(0.1);
    await session.release();
  }),
);

test("what is reserved first changes nothing", () =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>("unet-sdxl");
    const [run] = fixture.runs;
    if (!run) throw new Error("the fixture lacks a run");
    const results: Float32Array[] = [];
    for (const reserve of [false, true]) {
      const model = await build(fixture, folder, { lora: false, reserve });
      const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
      for (const count of reserve ? [1_000_000, 1] : [0]) {
        const reserved: Feeds = reserve ? { reserve: int64([count], [1]) } : {};
        results.push(floatOutput(await session.run({ ...feedsOf(fixture, run), ...reserved }), "out_sample"));
      }
      await session.release();
    }
    expect(results[1]).toEqual(results[0] as Float32Array);
    expect(results[2]).toEqual(results[0] as Float32Array);
  }));

test("LoRAs of convolutions, too: CUDA's layout takes what the CPU's takes, and gives the same", () =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>("unet-sdxl");
    const [run] = fixture.runs;
    const [plain] = fixture.outputs;
    if (!run || !plain) throw new Error("the fixture lacks a run");
    const results: Float32Array[] = [];
    const taken: string[] = [];
    for (const target of [cpuTarget, plainNhwcTarget()]) {
      const model = await build(fixture, folder, { lora: "convolutions", target });
      const targets = model.loraTargets.toSorted((a, b) => a.path.localeCompare(b.path));
      taken.push(JSON.stringify(targets));
      expect(targets.map(({ path }) => path)).toContain("down_blocks.0.resnets.0.conv1");
      expect(targets.map(({ path }) => path)).toContain("up_blocks.0.upsamplers.0.conv");
      const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
      for (const rank of [0, 3]) {
        const lora: Record<string, ReturnType<typeof float32>> = {};
        for (const { path, in: width, out } of targets) {
          const a = uniform(`${path}.A`, fixture.seed, rank * width).map((v) => v / Math.sqrt(width));
          const b = uniform(`${path}.B`, fixture.seed, out * rank).map((v) => v / 8);
          lora[`lora.${path}.A`] = float32(Float32Array.from(a), [rank, width]);
          lora[`lora.${path}.B`] = float32(Float32Array.from(b), [out, rank]);
        }
        results.push(floatOutput(await session.run({ ...feedsOf(fixture, run), ...lora }), "out_sample"));
      }
      await session.release();
    }
    const target = cudaTarget({ native: NATIVE_PARTS });
    const { loraTargets } = await build(fixture, folder, { lora: "convolutions", target });
    taken.push(JSON.stringify(loraTargets.toSorted((a, b) => a.path.localeCompare(b.path))));
    expect(new Set(taken).size).toBe(1);
    const [none, adapted, ...others] = results;
    if (!none || !adapted) throw new Error("no results");
    expect(relativeError(none, unpack(plain))).toBeLessThan(1e-4);
    expect(relativeError(adapted, none)).toBeGreaterThan(0.01);
    for (const [i, other] of others.entries())
      expect(relativeError(other, i === 0 ? none : adapted)).toBeLessThan(1e-4);
  }));

test("fixed sizes give the same result as symbols", () =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>("unet-sd15");
    const [run] = fixture.runs;
    const [wanted] = fixture.outputs;
    if (!run || !wanted) throw new Error("the fixture lacks a run");
    const model = await build(fixture, folder, { lora: false, sizes: run });
    const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
    const outputs = await session.run(feedsOf(fixture, run));
    expect(relativeError(floatOutput(outputs, "out_sample"), unpack(wanted))).toBeLessThan(1e-4);
    await session.release();
  }));

test.each([
  ["the CPU", cpuTarget],
  ["CUDA's layout", plainNhwcTarget()],
])(
  "a second step in the same run, for %s: with the first one's sample and timestep it predicts the same",
  (_, target) =>
    inTemporaryFolder(async (folder) => {
      const fixture = await readFixture<Fixture>("unet-sdxl");
      const [run] = fixture.runs;
      if (!run) throw new Error("the fixture lacks a run");
      const { frames, height, width } = run;
      const feeds = feedsOf(fixture, { ...run, batch: 1 });
      const sample = feeds.sample?.data as Float32Array;
      const channels = fixture.unet.in_channels;
      const next = (mix: number, base = sample, timestep = 501.3) => ({
        "next.timestep": float32(Float32Array.of(timestep), []),
        "next.base": float32(base, [channels, frames, height, width]),
        "next.mix": float32(Float32Array.of(mix), [1]),
      });
      for (const reuse of [1, 2]) {
        const model = await build(fixture, folder, { lora: true, target, reuse });
        expect(new Set(model.inputs.map(({ name }) => name)).size).toBe(model.inputs.length);
        const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
        const lora = loraFeeds(fixture, model.loraTargets, true);
        const same = await session.run({ ...feeds, ...lora, ...next(0) });
        const first = floatOutput(same, "out_sample");
        expect(relativeError(floatOutput(same, "next.out_sample"), first)).toBeLessThan(1e-5);
        // The sample of the second step is `base + mix * first`: given outright, it predicts the same again.
        const mixed = await session.run({ ...feeds, ...lora, ...next(0.5, sample, 400) });
        const outright = sample.map((value, i) => value + 0.5 * (first[i] ?? 0));
        const given = await session.run({ ...feeds, ...lora, ...next(0, outright, 400) });
        const second = floatOutput(mixed, "next.out_sample");
        expect(relativeError(floatOutput(given, "next.out_sample"), second)).toBeLessThan(1e-5);
        expect(relativeError(second, first)).toBeGreaterThan(0.01);
        await session.release();
      }
      await expect(build(fixture, folder, { lora: false, target, reuse: 9 })).rejects.toThrow("reuse: 9");
    }),
);

test("contradictions in the configs are named", async () => {
  const fixture = await readFixture<Fixture>("unet-sdxl");
  const unet = unetConfig.parse(fixture.unet);
  const adapter = motionAdapterConfig.parse(fixture.adapter);
  expect(() => unetMotionShape(unet, { ...adapter, motion_layers_per_block: 1 })).toThrow("layers per block");
  expect(() => unetMotionShape(unet, { ...adapter, block_out_channels: [16, 64] })).toThrow("16,64");
  expect(() => unetMotionShape({ ...unet, cross_attention_dim: [1, 2, 3] })).toThrow("cross_attention_dim");
  expect(unetConfig.safeParse({ ...fixture.unet, dual_cross_attention: true }).success).toBe(false);
});

test.each(CASES)("%s in the CUDA target's layout agrees with diffusers", (name) =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>(name);
    const [run] = fixture.runs;
    const [wanted] = fixture.outputs;
    if (!run || !wanted) throw new Error("the fixture lacks a run");
    const variants = [
      { target: plainNhwcTarget() },
      { target: plainNhwcTarget({ feedForwardChunks: 2, temporalPacking: 2 }), sizes: run },
      { target: plainNhwcTarget({ feedForwardChunks: 2, temporalPacking: 2 }) },
      { target: plainNhwcTarget({ deterministic: true }), sizes: run },
    ];
    for (const variant of variants) {
      const model = await build(fixture, folder, { lora: true, ...variant });
      const session = await createSession(model, join(folder, "cache"), { intraOpThreads: 1 });
      const none = loraFeeds(fixture, model.loraTargets, false);
      const outputs = await session.run({ ...feedsOf(fixture, run), ...none });
      expect(relativeError(floatOutput(outputs, "out_sample"), unpack(wanted))).toBeLessThan(1e-4);
      await session.release();
    }
  }),
);

test("the CUDA target names the fused operators", async () => {
  await inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>("unet-sd15");
    const model = await build(fixture, folder, { lora: true, target: cudaTarget() });
    expect(model.inputs.find((i) => i.name.startsWith("lora."))?.dtype).toBe("float16");
    const text = new TextDecoder("latin1").decode(model.bytes);
    for (const name of ["NhwcConv", "SkipLayerNormalization", "MultiHeadAttention", "BiasAdd"]) {
      expect(text).toContain(name);
    }
  });
});
