import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DacConfig } from "../../graphs/dac-config.ts";
import { buildDacDecoder } from "../../graphs/dac-decoder.ts";
import { buildDacEncoder } from "../../graphs/dac-encoder.ts";
import type { DacKernels } from "../../graphs/dac-kernels.ts";
import { DiaConfig } from "../../graphs/dia-config.ts";
import { buildDiaDecoder } from "../../graphs/dia-decoder.ts";
import { buildDiaEncoder } from "../../graphs/dia-encoder.ts";
import {
  type AlignmentHead,
  DIA_CPU,
  DIA_CUDA,
  DIA_CUDA_FLOAT32,
  type DiaTarget,
} from "../../graphs/dia-layers.ts";
import { usesNativeLoop } from "../../graphs/dia-native.ts";
import { loadNativeOps } from "../../onnx/native-ops.ts";
import { createSession, EXACT_ARENA, type Session, type SessionOptions } from "../../onnx/session.ts";
import { openWeights, type WeightSet } from "../../weights/weight-set.ts";
import { weightFiles } from "./weight-files.ts";

export interface DiaModelOptions {
  readonly cacheDir: string;
  readonly device: "cpu" | "cuda";
  readonly threads?: number | undefined;
  readonly alignmentHead?: AlignmentHead | undefined;
  /** Compute type on a GPU; half precision by default. The CPU always computes in float32. */
  readonly precision?: "float16" | "float32";
  /** Operator choices other than the device's own, for measurements. */
  readonly choices?: Partial<DiaTarget>;
}

/** How DAC decodes. */
export interface DacChoices {
  readonly kernels: DacKernels;
  readonly dtype: "float32" | "float16";
  /** Frames decoded at once. */
  readonly pieceFrames: number;
  /** Frames encoded at once. */
  readonly encodedFrames: number;
}

/** Dia's sessions. */
export interface DiaModel {
  readonly config: DiaConfig;
  readonly target: DiaTarget;
  readonly encoder: Session;
  readonly decoder: Session;
  /** The own operator makes the frames, and keeps keys and values between the runs of a batch. */
  readonly nativeLoop: boolean;
  /** The decoder tells how a prompt's rows attend to the text; only where no alignment head is known. */
  readonly readsPrompt: boolean;
  release(): Promise<void>;
}

/** DAC's sessions; the encoder is loaded when it is first asked for. */
export interface DacModel {
  readonly config: DacConfig;
  readonly decoder: Session;
  /**
   * Frames decoded at once: between two pieces a cancel is seen. By the model and the device alone, never by the
   * clock: pieces of another size round otherwise, and the same seed has to give the same bytes.
   */
  readonly pieceFrames: number;
  readonly encodedFrames: number;
  /** False for weights of a decoder alone: no clip can become a voice prompt. */
  readonly canEncode: boolean;
  encoder(): Promise<Session>;
  release(): Promise<void>;
}

function targetFor({ device, precision, choices }: DiaModelOptions): DiaTarget {
  if (device === "cpu") return { ...DIA_CPU, ...choices };
  if (precision === "float32") return { ...DIA_CUDA_FLOAT32, ...choices };
  const native = loadNativeOps() !== undefined;
  return { ...DIA_CUDA, nativeGate: native, nativeLoop: native, ...choices };
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, "utf8"));
}

function sessionOptions(options: DiaModelOptions): SessionOptions {
  return {
    provider: options.device,
    // Sizes change from run to run, so planned memory would only grow.
    memoryPattern: false,
    cudaOptions: EXACT_ARENA,
    ...(options.threads ? { intraOpThreads: options.threads } : {}),
  };
}

/**
 * A step of a small decoder is a chain of operators of a few microseconds: handing them to a second thread
 * costs more than it saves (measured on the built-in pack: 530 frames/s on one thread, 200 on two).
 */
function isSmall(config: DiaConfig): boolean {
  return config.decoder.hidden_size * config.decoder.intermediate_size < 2 ** 20;
}

/** @param folder with `config.json` and safetensors in the layout of transformers */
export async function loadDiaModel(folder: string, options: DiaModelOptions): Promise<DiaModel> {
  const config = DiaConfig.parse(await readJson(join(folder, "config.json")));
  const weights = await openWeights(await weightFiles(folder));
  const target = targetFor(options);
  const { alignmentHead } = options;
  const readsPrompt = alignmentHead === undefined;
  const encoderModel = buildDiaEncoder(config, weights, {
    dtype: target.dtype,
    crossOutputs: target.cross === "fed",
  });
  const decoderModel = buildDiaDecoder(config, weights, target, { alignmentHead, reading: readsPrompt });
  const encoder = await createSession(encoderModel, options.cacheDir, sessionOptions(options));
  const threads = options.device === "cpu" && isSmall(config) ? 1 : options.threads;
  const decoder = await createSession(
    decoderModel,
    options.cacheDir,
    sessionOptions({ ...options, threads }),
  );
  const release = async () => {
    await encoder.release();
    await decoder.release();
  };
  const nativeLoop = usesNativeLoop(config, target);
  return { config, target, encoder, decoder, nativeLoop, readsPrompt, release };
}

const LARGE_CHANNELS = 1024;

function dacChoices(config: DacConfig, device: "cpu" | "cuda"): DacChoices {
  const dtype = "float32";
  if (device === "cuda") {
    // Every new length of a convolution would cost a cuDNN plan; products need none. The pieces spare memory.
    const kernels = loadNativeOps() ? "native" : "matmul";
    return { kernels, dtype, pieceFrames: 128, encodedFrames: 128 };
  }
  const pieceFrames = config.decoderChannels < LARGE_CHANNELS ? 64 : 48;
  return { kernels: "conv1d", dtype, pieceFrames, encodedFrames: Number.POSITIVE_INFINITY };
}

/** No TF32: the nearest code of a voice clip should be that of float32. */
const DAC_ON_CUDA = { ...EXACT_ARENA, use_tf32: "0" };

/** @param folder with `config.json` and safetensors in the layout of transformers */
export async function loadDacModel(
  folder: string,
  options: DiaModelOptions & { readonly dac?: Partial<DacChoices>; readonly profilePrefix?: string },
): Promise<DacModel> {
  const config = DacConfig.parse(await readJson(join(folder, "config.json")));
  const choices = { ...dacChoices(config, options.device), ...options.dac };
  const { kernels, dtype, pieceFrames, encodedFrames } = choices;
  const session = { ...sessionOptions(options), cudaOptions: DAC_ON_CUDA };
  const weights: WeightSet = await openWeights(await weightFiles(folder));
  const decoder = await createSession(
    buildDacDecoder(config, weights, { kernels, dtype }),
    options.cacheDir,
    {
      ...session,
      ...(options.profilePrefix ? { profilePrefix: options.profilePrefix } : {}),
    },
  );
  let encoder: Promise<Session> | undefined;
  return {
    config,
    decoder,
    pieceFrames,
    encodedFrames,
    canEncode: ["conv1.weight", "conv1.weight_v", "conv1.parametrizations.weight.original1"].some((name) =>
      weights.has(`encoder.${name}`),
    ),
    encoder: () => {
      const model = () => buildDacEncoder(config, weights, { kernels });
      encoder ??= createSession(model(), options.cacheDir, { ...session, givesBack: true });
      return encoder;
    },
    release: async () => {
      await decoder.release();
      await (await encoder)?.release();
    },
  };
}
