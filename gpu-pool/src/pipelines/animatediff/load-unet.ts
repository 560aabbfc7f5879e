import { motionAdapterConfig, unetConfig, unetMotionShape } from "../../graphs/config/unet.ts";
import type { ClipSize } from "../../graphs/unet-plan.ts";
import { loadNativeOps } from "../../onnx/native-ops.ts";
import { ResidentFeeds } from "../../onnx/resident-feeds.ts";
import { type Feeds, float32, floatOutput, type TensorValue } from "../../onnx/session.ts";
import { openWeights, WeightSet } from "../../weights/weight-set.ts";
import { targetOf } from "./device.ts";
import { modelWeights, readConfig, weightFiles } from "./model-folder.ts";
import type { NextStep, Unet, UnetInput } from "./models.ts";
import type { ModelOptions } from "./types.ts";
import { UnetSession } from "./unet-session.ts";

/** Mixes of LoRAs that stay on a GPU while a clip is drawn. */
const RESIDENT_MIXES = { full: 4, small: 1 };

/**
 * The denoiser of a pack: UNet and motion adapter as one graph.
 * @param first size of the passes to be ready for
 * @param convolutions take LoRA matrices for convolutions too (LoCon)
 */
export async function loadUnet(
  folders: { unet: string; adapter: string },
  options: ModelOptions,
  first: ClipSize,
  convolutions: boolean,
): Promise<Unet & { close(): Promise<void> }> {
  const shape = unetMotionShape(
    await readConfig(folders.unet, unetConfig),
    await readConfig(folders.adapter, motionAdapterConfig),
  );
  const layersPerBlock = shape.down[0]?.layers ?? 2;
  const own = await modelWeights(folders.unet, "unet", options, { layersPerBlock });
  const motion = await openWeights(await weightFiles(folders.adapter));
  const weights = new WeightSet(new Map([...own.tensors, ...motion.tensors]));
  const unet = await UnetSession.open(
    { shape, weights, options, lora: convolutions ? "convolutions" : true },
    first,
  );
  const textDim = shape.textTime?.textDim;
  const resident = new ResidentFeeds(
    RESIDENT_MIXES[options.smallMemory ? "small" : "full"],
    options.device === "cuda" ? loadNativeOps() : undefined,
  );
  const close = async () => {
    resident.clear();
    await unet.close();
  };
  const run = async (input: UnetInput, next: NextStep | undefined) => {
    // The second step computes as many layers anew as one block has.
    const session = await unet.at(input, next && layersPerBlock);
    resident.keep(input.lora);
    const outputs = await session.run({
      ...feedsOf(shape.inChannels, textDim, input),
      ...unet.reserve(input),
      ...(next ? nextFeeds(shape.inChannels, input, next) : {}),
    });
    const second = next ? floatOutput(outputs, "next.out_sample") : new Float32Array(0);
    return { first: floatOutput(outputs, "out_sample"), second };
  };
  return {
    channels: shape.inChannels,
    maxFrames: shape.maxFrames,
    layersPerBlock,
    loraTargets: unet.model.loraTargets,
    loraFormat: { dtype: targetOf(options).dtype, layout: unet.model.loraLayout },
    predict: async (input) => (await run(input, input.inTwos ? nothingNext(input) : undefined)).first,
    predictTwo: async (input, next) => {
      const { first, second } = await run(input, next);
      return [first, second];
    },
    forgetLoras: () => resident.clear(),
    releaseMemory: close,
    close,
  };
}

function feedsOf(channels: number, textDim: number | undefined, input: UnetInput): Feeds {
  const { batch, frames, height, width, contextRows, tokens, context } = input;
  const sizing: Record<string, TensorValue> = {};
  if (textDim !== undefined) {
    sizing.text_embeds = float32(input.pooled, [batch, textDim]);
    sizing.time_ids = float32(timeIds(input), [batch, 6]);
  }
  const features = context.length / (contextRows * tokens);
  return {
    sample: float32(input.sample, [batch, channels, frames, height, width]),
    timestep: float32(Float32Array.of(input.timestep), []),
    encoder_hidden_states: float32(context, [contextRows, tokens, features]),
    ...sizing,
    ...input.lora,
  };
}

/** For a single step on a graph of two. */
function nothingNext({ sample, batch, timestep }: UnetInput): NextStep {
  return { timestep, base: sample.subarray(0, sample.length / batch), mix: new Array<number>(batch).fill(0) };
}

function nextFeeds(channels: number, { batch, frames, height, width }: UnetInput, next: NextStep): Feeds {
  return {
    "next.timestep": float32(Float32Array.of(next.timestep), []),
    "next.base": float32(next.base, [channels, frames, height, width]),
    "next.mix": float32(Float32Array.from(next.mix), [batch]),
  };
}

/** `[original height, original width, crop top, crop left, target height, target width]` in pixels, per batch row. */
function timeIds({ batch, pixelHeight, pixelWidth }: UnetInput): Float32Array {
  const row = [pixelHeight, pixelWidth, 0, 0, pixelHeight, pixelWidth];
  return Float32Array.from({ length: batch * 6 }, (_, i) => row[i % 6] ?? 0);
}
