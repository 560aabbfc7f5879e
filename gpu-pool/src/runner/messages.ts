import type { CharacterManifest, ClipSpec, SpeechSpec, Warning } from "@cartoon/protos";
import type { ClipCast } from "../pipelines/animatediff/cast.ts";
import type { SharedPass } from "../pipelines/animatediff/index.ts";

/** Device of one runner: `cpu`, or one GPU by its index. */
export type Device = { kind: "cpu" } | { kind: "cuda"; index: number };

export type Part = "picture" | "voice";

/** What a runner needs to know to load its models. */
export interface RunnerSetup {
  /** Which models of a pack it keeps. */
  parts: readonly Part[];
  /** Folders of the packs that it may be asked for; the first is loaded at once. */
  packs: string[];
  device: Device;
  /** CPU threads of each session; 0 lets ONNX Runtime choose. */
  threads: number;
  /** Folder for graph files. */
  cacheDir: string;
  /** CUDA libraries beside those of the system, in `lib`. */
  cudaDir?: string;
  /** How the picture models compute attention on this card; absent is the usual way. */
  attention?: string;
  /** Every job bit-stable, whether it asks for that or not. */
  deterministic?: boolean;
  /** Whether the picture models spare memory: as the free memory of the GPU tells, or always or never. */
  memory?: "auto" | "small" | "full";
}

/** How the models of a run work, which its bytes depend on. */
export interface RunMode {
  /** The same seed gives the same bytes on the same type of device. */
  deterministic: boolean;
  /** `small`: guidance in two passes, feed-forwards in parts, text encoders only while they work. */
  memory: "full" | "small";
}

/** A clip whose passes another runner of the node may take over, and everything that its bytes depend on. */
export interface Sharing {
  run: string;
  pack: string;
  clip: ClipSpec;
  /** Lines that the picture follows. */
  lines?: Spoken["lines"];
  mode: RunMode;
}

/** One pass of a shared clip; the sample is in `file`, which whoever reads it removes. */
export interface PassRequest extends Omit<SharedPass, "sample"> {
  id: number;
  file: string;
}

/** The prediction's file, or why there is none. */
export interface PassAnswer {
  id: number;
  file?: string;
  problem?: string;
}

/** A clip with what it has beside its pack's characters and LoRAs. */
export type DrawnClip = ClipSpec & { cast?: ClipCast };

/** One render, already brought within the pack's limits. Arrays travel as files of `folder`. */
export interface RunnerJob {
  run: string;
  folder: string;
  pack: string;
  clip?: DrawnClip;
  /** What to draw instead where the pack's picture models do not load or do not fit. */
  substitute?: Substitute;
  speech?: SpeechSpec;
  /** Characters of the clip in order: whose voice S1 and S2 are. */
  cast: string[];
  /** Draw as many frames as the dialogue lasts. */
  extend: boolean;
  /** The dialogue, where another runner has spoken it already. */
  spoken?: Spoken;
  /** Characters beside those of the pack. */
  characters?: readonly CharacterManifest[];
  /** Reference clips that came with the request, as WAV files of `folder`. */
  references: { character: string; file: string; transcript: string }[];
  /** The image that the clip starts from, `[height, width, 3]` in a file, and the hash of what came. */
  startImage?: { file: string; width: number; height: number; strength: number; sha256: string };
  /** Bit-stable results, at some cost in time on a GPU. */
  deterministic: boolean;
  /** Guidance always in two passes, so that another runner of the node can take one without changing a byte. */
  shared?: boolean;
  /** Steps between two checkpoints; 0 writes none. */
  checkpointEvery: number;
  /** State file of an earlier attempt. */
  resume?: string;
}

/** The same clip within the limits of a smaller pack. */
export interface Substitute {
  pack: string;
  clip: DrawnClip;
  /** What had to change for it. */
  warnings: Warning[];
}

export type ToRunner =
  | { type: "setup"; setup: RunnerSetup }
  | { type: "run"; job: RunnerJob }
  | { type: "cancel"; run: string }
  /** End with what there is; the result may lack frames or speech. */
  | { type: "finish"; run: string }
  /** Whether another runner takes passes of this run. */
  | { type: "partner"; run: string; there: boolean }
  | { type: "passed"; run: string; answer: PassAnswer }
  /** Take passes of a run on another runner, until `assist_end`. */
  | { type: "assist"; sharing: Sharing }
  | { type: "pass"; run: string; pass: PassRequest }
  | { type: "assist_end"; run: string }
  | { type: "exit" };

/** Raw RGB frames in a file. */
export interface FrameFile {
  file: string;
  count: number;
  width: number;
  height: number;
  fps: number;
}

/** What a picture may want to know of its dialogue. */
export interface Spoken {
  seconds: number;
  lines: { speaker: string; character: string | null; text: string; start: number; end: number }[];
}

/** Mono float32 samples in a file, with the lines spoken in them. */
export interface SpeechFile extends Spoken {
  file: string;
  sampleRate: number;
  /** Loudness of the voice over time, 0 to 1, `rate` values a second: a hint for mouths. */
  mouth: { rate: number; levels: number[] };
}

/** Sound of a dialogue while the rest of it is made; see `SpeechAudio`. */
export interface SpeechPart {
  /** Mono float32 samples. */
  file: string;
  sampleRate: number;
  /** Number of the part from 0. */
  part: number;
  chunk: number;
  /** Replaces the parts of the chunk's attempts before. */
  attempt: number;
  /** Seconds from the start of the dialogue. */
  start: number;
  last: boolean;
}

export interface StageTime {
  stage: string;
  seconds: number;
}

/** What was spent so far; true of finished, failed and canceled runs alike. */
export interface Spent {
  stepsDone: number;
  stepsTotal: number;
  deviceSeconds: number;
  stages: StageTime[];
}

export interface RunnerResult {
  frames?: FrameFile;
  speech?: SpeechFile;
  /** What the pipelines settled on: scheduler preset, LoRA weights. */
  scheduler?: string;
  characters?: { name: string; weight: number }[];
  mode?: RunMode & { guidancePasses: 1 | 2 };
  /** SHA-256 of the image that the clip started from. */
  startImage?: { sha256: string };
  /** The pack that drew. */
  pack?: { name: string; version: string };
}

export type RunnerStage = "load" | "denoise" | "decode" | "speech";

export type FromRunner =
  | { type: "ready"; warm: string[]; seconds: number }
  /** `lacksMemory`: nothing else is wrong, and it may come back. */
  | { type: "setup_failed"; message: string; lacksMemory: boolean }
  | { type: "warm"; warm: string[] }
  | { type: "accepted"; run: string; resumedStep: number }
  | { type: "progress"; run: string; stage: RunnerStage; done: number; total: number }
  | { type: "preview"; run: string; frames: FrameFile; step: number }
  /** Finished frames so far, in order; another file is another clip, which takes the place of the first. */
  | { type: "frames"; run: string; frames: FrameFile }
  | ({ type: "audio"; run: string } & SpeechPart)
  | { type: "checkpoint"; run: string; file: string; step: number }
  | { type: "warning"; run: string; warning: Warning }
  | { type: "log"; run: string; level: "info" | "warning"; message: string }
  /** Asks for a partner. */
  | { type: "share"; run: string; sharing: Sharing }
  | { type: "pass"; run: string; pass: PassRequest }
  /** What the partner says. */
  | { type: "assisting"; run: string; problem?: string }
  | { type: "passed"; run: string; answer: PassAnswer }
  | { type: "done"; run: string; result: RunnerResult; spent: Spent }
  | { type: "canceled"; run: string; spent: Spent }
  | { type: "failed"; run: string; code: string; message: string; retryable: boolean; spent: Spent };
