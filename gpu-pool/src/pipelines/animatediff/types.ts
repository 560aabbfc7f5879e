import type { CharacterManifest, ClipSpec, Warning } from "@cartoon/protos";
import type { ClipCast } from "./cast.ts";

/** Where and how the models run. */
export interface LoadOptions {
  /** Folder for graph files built from the configs; created when missing. */
  cacheDir: string;
  device: "cpu" | "cuda";
  /** CPU threads of each session; 0 or absent lets ONNX Runtime choose. */
  threads?: number;
  /** Bit-stable results on a GPU, at some cost in time. The CPU is always bit-stable. */
  deterministic?: boolean;
  /**
   * Fits small GPUs: guidance in two passes, motion feed-forwards in four parts, text encoders in memory only while
   * they work, the VAE one frame at a time.
   */
  smallMemory?: boolean;
  /** The UNet takes LoRA matrices for convolutions too, whether the pack's own LoRAs need them or not. */
  convolutions?: boolean;
  /** A graph for every size instead of one for all; default: where the device's group norms need that. */
  fixedSizes?: boolean;
}

/** What the model loaders need besides. */
export interface ModelOptions extends LoadOptions {
  /** A single-file checkpoint (SGM/LDM names) for models whose folders hold only a config. */
  checkpoint?: string;
}

export interface StepProgress {
  /** Steps done so far, 1 to `steps`; the first call after a resume reports the step it went on to. */
  step: number;
  steps: number;
  /** Wall seconds of this step. */
  seconds: number;
}

/** RGB frames, 8 bits a channel, `[count, height, width, 3]` row-major. */
export interface RgbFrames {
  data: Uint8Array;
  count: number;
  width: number;
  height: number;
}

/** A rough look at the clip: the model's present guess, fewer frames than the clip has. */
export interface ClipPreview extends RgbFrames {
  step: number;
  /** Frames per second that make the preview last as long as the clip. */
  fps: number;
}

export interface CheckpointOptions {
  /** Steps between two checkpoints; 0 writes none. */
  everySteps: number;
  /** Takes the serialised state after `step` steps. Awaited before the next step. */
  save?: (state: Uint8Array, step: number) => void | Promise<void>;
  /** State of an earlier attempt with the same settings; the result is bit-identical to an unbroken run on the CPU. */
  resume?: Uint8Array;
}

/** A frame-by-frame weight of every character, for clips where the picture follows the speaker. */
export type CharacterFocus = (frame: number) => Readonly<Record<string, number>>;

/** One UNet pass of a clip over a context window: a half of a guided prediction, or one without guidance. */
export interface SharedPass {
  /** Which character's part of a regional clip; 0 otherwise. */
  region: number;
  part: "cond" | "uncond";
  window: readonly number[];
  timestep: number;
  /** Of the latents. */
  height: number;
  width: number;
  /** [channels, window frames, height, width], scaled for the model. */
  sample: Float32Array;
}

/** Another copy of the models, on another device of the same type, that takes passes of a clip. */
export interface PassPartner {
  /**
   * @returns the prediction, in the layout of the sample; undefined when nobody is there to ask. Rejects when the
   * partner is lost: the pass is then done here.
   */
  ask(pass: SharedPass): Promise<Float32Array> | undefined;
}

/** Does passes of a clip that another copy of the models draws, with the same bytes. */
export interface ClipAssistant {
  predict(pass: SharedPass): Promise<Float32Array>;
}

export interface GenerateOptions {
  /** Checked before every step and every decode chunk; aborting throws {@link ClipCanceled}. */
  signal?: AbortSignal;
  /** Aborting makes the step at hand the last one: the model's guess of the clip, as it stands, is decoded. */
  finish?: AbortSignal;
  onStep?: (progress: StepProgress) => void | Promise<void>;
  /** Called after the first step and then at most every `previewEverySeconds`. */
  onPreview?: (preview: ClipPreview) => void | Promise<void>;
  previewEverySeconds?: number;
  /** The finished latents before they are decoded, `[channels, frames, height, width]`. */
  onLatents?: (latents: Float32Array) => void;
  /** Called for every chunk of finished frames in order, so that encoding can begin while the rest is decoded. */
  onFrames?: (chunk: RgbFrames, firstFrame: number) => void | Promise<void>;
  checkpoint?: CheckpointOptions;
  /** Multiplies the characters' weights per frame. A window over which they change takes a UNet pass more, or several. */
  focus?: CharacterFocus;
  /** First image of the clip and how much of it is redrawn (0 keeps it, 1 ignores it). */
  firstImage?: { image: RgbFrames; strength: number };
  /** Guidance in two passes of half the size, whether memory is short or not: what a partner can take over. */
  halves?: boolean;
  partner?: PassPartner;
  /** FreeNoise-style initial noise for clips longer than one context window. Default: true for those. */
  freeNoise?: boolean;
  /** FreeInit refinement passes; 1 means off. */
  freeInitIterations?: number;
}

export interface StageTiming {
  /** `lora` is the part of `denoise` in which LoRAs are put together; it is not counted there. */
  stage: "encode" | "prepare" | "lora" | "denoise" | "decode";
  seconds: number;
}

/** A finished clip at the size that the pack draws; scaling to the size asked for is the caller's. */
export interface ClipResult {
  /** `[count, height, width, 3]`, 8-bit RGB. */
  frames: Uint8Array;
  count: number;
  width: number;
  height: number;
  fps: number;
  seed: number;
  /** Scheduler preset that was used. */
  scheduler: string;
  /** Characters with the LoRA weights that were used. */
  characters: { name: string; weight: number }[];
  steps: number;
  timings: StageTiming[];
  warnings: Warning[];
}

/** Everything of a ClipSpec but what has a default in the pack may be left out. */
export type ClipSettings = Pick<ClipSpec, "prompt" | "seed"> &
  Partial<ClipSpec> & {
    cast?: ClipCast;
    /** The clip lasts as long as its dialogue, with up to {@link MOST_FRAMES} whatever the pack's own limit is. */
    extended?: boolean;
  };

/** The most frames of a clip. */
export const MOST_FRAMES = 1024;

/** An AnimateDiff model in memory. One `generate` at a time. */
export interface AnimateDiffPipeline {
  readonly characters: readonly CharacterManifest[];
  /** Seconds that loading took, and what was loaded (for "warm" lists). */
  readonly loadSeconds: number;
  /**
   * Draws a clip.
   * @throws ClipCanceled when `signal` is aborted; ClipOutOfMemory when nothing smaller fits either; Error that names the field for settings that cannot be met.
   */
  generate(clip: ClipSettings, options?: GenerateOptions): Promise<ClipResult>;
  /** Gets ready to do passes of a clip that is drawn elsewhere with the same settings. */
  assist(clip: ClipSettings, options?: Pick<GenerateOptions, "focus">): Promise<ClipAssistant>;
  /** Frees the sessions. */
  close(): Promise<void>;
}

/** The clip was canceled; carries what was done for the receipt. */
export class ClipCanceled extends Error {
  override readonly name = "ClipCanceled";
  readonly stepsDone: number;
  readonly stepsTotal: number;

  constructor(stepsDone: number, stepsTotal: number) {
    super(`canceled after ${stepsDone} of ${stepsTotal} steps`);
    this.stepsDone = stepsDone;
    this.stepsTotal = stepsTotal;
  }
}

/** The device has too little memory for the clip, whatever was tried. */
export class ClipOutOfMemory extends Error {
  override readonly name = "ClipOutOfMemory";
  /** What was tried. */
  readonly warnings: readonly Warning[];

  constructor(cause: unknown, warnings: readonly Warning[]) {
    super(`out of memory: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.warnings = warnings;
  }
}
