import { buildVaeDecoder, buildVaeEncoder, type DecoderOptions } from "../../graphs/autoencoder-kl.ts";
import { autoencoderConfig, vaeScale } from "../../graphs/config/vae.ts";
import { createSession, float32, floatOutput, type Session } from "../../onnx/session.ts";
import { needsFixedSizes, sessionOptions, targetOf } from "./device.ts";
import { isOutOfMemory } from "./memory.ts";
import { modelWeights, readConfig } from "./model-folder.ts";
import type { DecodedFrames, Vae } from "./models.ts";
import type { ModelOptions } from "./types.ts";

/**
 * The autoencoder of a pack. The encoder, and what is exact beside a GPU, are loaded when first needed; a GPU's encoder
 * goes again after its image. Bit-stable graphs of stock operators are made for one size, so there the CPU encodes.
 */
export async function loadVae(
  folder: string,
  options: ModelOptions,
): Promise<Vae & { close(): Promise<void> }> {
  const config = await readConfig(folder, autoencoderConfig);
  const weights = await modelWeights(folder, "vae", options, { vaeBlocks: config.block_out_channels.length });
  const exactOptions: ModelOptions = { ...options, device: "cpu" };
  const open = (build: typeof buildVaeDecoder, where: ModelOptions, sizes?: DecoderOptions["sizes"]) =>
    createSession(
      build({ config, weights, target: targetOf(where), output: "rgb", sizes }),
      where.cacheDir,
      sessionOptions(where),
    );
  const oneSize = needsFixedSizes(options);
  const framesAtOnce = FRAMES_AT_ONCE[options.device];
  const decoder = oneSize ? undefined : await open(buildVaeDecoder, options);
  const sized = bySize((height, width) => open(buildVaeDecoder, options, { batch: 1, height, width }));
  const exact = lazily(() =>
    options.device === "cpu" && decoder ? Promise.resolve(decoder) : open(buildVaeDecoder, exactOptions),
  );
  const exactEncoder = lazily(() => open(buildVaeEncoder, exactOptions));
  const encode = async (session: Session, pixels: Float32Array, height: number, width: number) => {
    const input = float32(pixels, [1, config.in_channels, height, width]);
    return floatOutput(await session.run({ sample: input }), "latent_mean");
  };
  /** @returns undefined where the device has no room for it, or half precision no numbers */
  const encodeThere = async (...image: [pixels: Float32Array, height: number, width: number]) => {
    let session: Session | undefined;
    try {
      session = await open(buildVaeEncoder, options);
      const latents = await encode(session, ...image);
      return latents.every(Number.isFinite) ? latents : undefined;
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      return undefined;
    } finally {
      // One image a clip is not worth the memory.
      await session?.release();
    }
  };
  const decode = async (
    session: Session,
    latents: Float32Array,
    count: number,
    height: number,
    width: number,
  ): Promise<DecodedFrames> => {
    const input = float32(latents, [count, config.latent_channels, height, width]);
    const outputs = await session.run({ latent_sample: input });
    const rgb = outputs.rgb?.data;
    if (!(rgb instanceof Uint8Array)) throw new Error("the VAE gave no pixels");
    return { rgb, mean: floatOutput(outputs, "mean"), spread: floatOutput(outputs, "spread") };
  };
  return {
    framesAtOnce,
    factor: vaeScale(config),
    scalingFactor: config.scaling_factor,
    decode: async (latents, count, height, width) => {
      const session = decoder ?? (await sized.at(height, width));
      const most = decoder ? framesAtOnce : 1;
      const size = latents.length / count;
      const parts: DecodedFrames[] = [];
      for (let first = 0; first < count; first += most) {
        const some = Math.min(most, count - first);
        const part = latents.subarray(first * size, (first + some) * size);
        parts.push(await decode(session, part, some, height, width));
      }
      return joinFrames(parts);
    },
    decodeExact: async (...args) => decode(await exact.get(), ...args),
    encode: async (...image) => {
      const there = options.device === "cpu" || oneSize ? undefined : await encodeThere(...image);
      return there ?? encode(await exactEncoder.get(), ...image);
    },
    close: async () => {
      await sized.close();
      const sessions = new Set([decoder, await exact.loaded(), await exactEncoder.loaded()]);
      for (const session of sessions) await session?.release();
    },
  };
}

/** Four frames of 1024x1024 take an H200 twenty times as long as one: 540 ms and 26. */
const FRAMES_AT_ONCE = { cpu: 4, cuda: 1 };

/** One session at a time, for the size that was asked for last. */
function bySize(open: (height: number, width: number) => Promise<Session>) {
  let current: { key: string; session: Session } | undefined;
  const close = async () => {
    const last = current;
    current = undefined;
    await last?.session.release();
  };
  return {
    at: async (height: number, width: number) => {
      const key = `${height}x${width}`;
      if (current?.key !== key) {
        await close();
        current = { key, session: await open(height, width) };
      }
      return current.session;
    },
    close,
  };
}

function joinFrames(parts: readonly DecodedFrames[]): DecodedFrames {
  const [only, ...others] = parts;
  if (only && others.length === 0) return only;
  return {
    rgb: new Uint8Array(Buffer.concat(parts.map(({ rgb }) => rgb))),
    mean: Float32Array.from(parts.flatMap(({ mean }) => [...mean])),
    spread: Float32Array.from(parts.flatMap(({ spread }) => [...spread])),
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
