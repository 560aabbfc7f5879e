import { buildVaeDecoder, buildVaeEncoder } from "../../graphs/autoencoder-kl.ts";
import { autoencoderConfig, vaeScale } from "../../graphs/config/vae.ts";
import { createSession, float32, floatOutput, type Session } from "../../onnx/session.ts";
import { sessionOptions, targetOf } from "./device.ts";
import { modelWeights, readConfig } from "./model-folder.ts";
import type { Vae } from "./models.ts";
import type { ModelOptions } from "./types.ts";

/** The autoencoder of a pack. The encoder, and the exact decoder of a GPU, are loaded when first needed. */
export async function loadVae(
  folder: string,
  options: ModelOptions,
): Promise<Vae & { close(): Promise<void> }> {
  const config = await readConfig(folder, autoencoderConfig);
  const weights = await modelWeights(folder, "vae", options, { vaeBlocks: config.block_out_channels.length });
  const exactOptions: ModelOptions = { ...options, device: "cpu" };
  const open = (build: typeof buildVaeDecoder, where: ModelOptions) =>
    createSession(
      build({ config, weights, target: targetOf(where), output: "rgb" }),
      where.cacheDir,
      sessionOptions(where),
    );
  const decoder = await open(buildVaeDecoder, options);
  const exact = lazily(() =>
    options.device === "cpu" ? Promise.resolve(decoder) : open(buildVaeDecoder, exactOptions),
  );
  const encoder = lazily(() => open(buildVaeEncoder, exactOptions));
  const decode = async (
    session: Session,
    latents: Float32Array,
    count: number,
    height: number,
    width: number,
  ) => {
    const input = float32(latents, [count, config.latent_channels, height, width]);
    const outputs = await session.run({ latent_sample: input });
    const rgb = outputs.rgb?.data;
    if (!(rgb instanceof Uint8Array)) throw new Error("the VAE gave no pixels");
    return { rgb, mean: floatOutput(outputs, "mean"), spread: floatOutput(outputs, "spread") };
  };
  return {
    factor: vaeScale(config),
    scalingFactor: config.scaling_factor,
    decode: (...args) => decode(decoder, ...args),
    decodeExact: async (...args) => decode(await exact.get(), ...args),
    encode: async (pixels, height, width) => {
      const session = await encoder.get();
      const input = float32(pixels, [1, config.in_channels, height, width]);
      return floatOutput(await session.run({ sample: input }), "latent_mean");
    },
    close: async () => {
      const sessions = new Set([decoder, await exact.loaded(), await encoder.loaded()]);
      for (const session of sessions) await session?.release();
    },
  };
}

function lazily<T>(make: () => Promise<T>) {
  let made: Promise<T> | undefined;
  return {
    get: () => {
      made ??= make();
      return made;
    },
    loaded: async () => made,
  };
}
