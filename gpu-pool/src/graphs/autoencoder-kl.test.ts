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

    const encoder = await createSession(buildVaeEncoder(options), cache, { intraOpThreads: 1 });
    const encoded = await encoder.run({ sample: input("sample") });
    for (const key of ["latent_mean", "latent_log_variance"] as const) {
      expect(encoded[key]?.shape).toEqual([...fixture.outputs[key].shape]);
      expect(relativeError(floatOutput(encoded, key), unpack(fixture.outputs[key]))).toBeLessThan(1e-4);
    }
    await encoder.release();
  }),
);
