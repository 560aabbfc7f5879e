import { expect, test } from "bun:test";
import { join } from "node:path";
import { createSession, float32, floatOutput } from "../onnx/session.ts";
import { openWeights } from "../weights/weight-set.ts";
import { buildVaeDecoder, buildVaeEncoder } from "./autoencoder-kl.ts";
import { autoencoderConfig } from "./config/vae.ts";
import { cpuTarget } from "./target/cpu.ts";
import {
  inTemporaryFolder,
  type PackedTensor,
  readFixture,
  relativeError,
  seededInput,
  type TensorShapes,
  unpack,
  writeSeededWeights,
} from "./testing/seeded.ts";

interface Fixture {
  readonly config: unknown;
  readonly seed: number;
  readonly half: boolean;
  readonly tensors: TensorShapes;
  readonly latent_sample: readonly number[];
  readonly sample: readonly number[];
  readonly outputs: Readonly<Record<"sample" | "latent_mean" | "latent_log_variance", PackedTensor>>;
}

test.each(["vae-plain", "vae-deep-float16"])("%s agrees with diffusers", (name) =>
  inTemporaryFolder(async (folder) => {
    const fixture = await readFixture<Fixture>(name);
    const file = join(folder, "vae.safetensors");
    await writeSeededWeights(file, fixture.tensors, fixture.seed, fixture.half);
    const options = {
      config: autoencoderConfig.parse(fixture.config),
      weights: await openWeights([file]),
      target: cpuTarget,
    };
    const cache = join(folder, "cache");
    const input = (key: "latent_sample" | "sample") =>
      float32(seededInput(key, fixture.seed, fixture[key]), fixture[key]);

    const decoder = await createSession(buildVaeDecoder(options), cache, { intraOpThreads: 1 });
    const decoded = await decoder.run({ latent_sample: input("latent_sample") });
    expect(decoded.sample?.shape).toEqual([...fixture.outputs.sample.shape]);
    expect(relativeError(floatOutput(decoded, "sample"), unpack(fixture.outputs.sample))).toBeLessThan(1e-4);
    await decoder.release();

    const finished = await createSession(buildVaeDecoder({ ...options, output: "rgb" }), cache, {
      intraOpThreads: 1,
    });
    const pixels = await finished.run({ latent_sample: input("latent_sample") });
    const sample = floatOutput(decoded, "sample");
    const [frames = 0, , height = 0, width = 0] = fixture.outputs.sample.shape;
    expect(pixels.rgb?.shape).toEqual([frames, height, width, 3]);
    const area = height * width;
    const level = (value = 0) => Math.round(Math.min(1, Math.max(0, value / 2 + 0.5)) * 255);
    const wanted = Array.from({ length: frames * area * 3 }, (_, i) => {
      const [frame, pixel] = [Math.floor(i / (area * 3)), Math.floor(i / 3) % area];
      return level(sample[(frame * 3 + (i % 3)) * area + pixel]);
    });
    expect(Array.from(pixels.rgb?.data ?? [], Number)).toEqual(wanted);
    const size = 3 * area;
    for (let frame = 0; frame < frames; frame++) {
      const values = sample.subarray(frame * size, (frame + 1) * size);
      const mean = values.reduce((sum, value) => sum + value, 0) / size;
      expect(floatOutput(pixels, "mean")[frame]).toBeCloseTo(mean, 4);
      expect(floatOutput(pixels, "spread")[frame]).toBeCloseTo(Math.max(...values) - Math.min(...values), 4);
    }
    const broken = input("latent_sample").data.slice() as Float32Array;
    broken[0] = Number.NaN;
    const damaged = await finished.run({ latent_sample: float32(broken, fixture.latent_sample) });
    expect(floatOutput(damaged, "mean")[0]).toBeNaN();
    await finished.release();

    const encoder = await createSession(buildVaeEncoder(options), cache, { intraOpThreads: 1 });
    const encoded = await encoder.run({ sample: input("sample") });
    for (const key of ["latent_mean", "latent_log_variance"] as const) {
      expect(encoded[key]?.shape).toEqual([...fixture.outputs[key].shape]);
      expect(relativeError(floatOutput(encoded, key), unpack(fixture.outputs[key]))).toBeLessThan(1e-4);
    }
    await encoder.release();
  }),
);
