import type { NumberedSpaces } from "../../speech/encode-text.ts";
import type { VoicePitch } from "../../speech/pitch.ts";
import type { PlanLimits } from "../../speech/plan.ts";
import type { DacModel, DiaModel } from "./model.ts";
import type { VoicePack } from "./types.ts";

/** Dia-1.6B rushes through more turns than this, and leaves some out (nari-labs/dia issues 35 and 149). */
const MAX_TURNS = 4;

/** What a pack's `voice` says, with the models' own limits. */
export interface VoiceSettings {
  readonly frameRate: number;
  readonly sampleRate: number;
  readonly normalise: boolean;
  readonly spaces: NumberedSpaces | undefined;
  readonly speakers: Readonly<Record<string, string>>;
  readonly limits: PlanLimits;
  /** Most frames of one chunk. */
  readonly maxFrames: number;
  /** Where it tells the model's voices apart. */
  readonly pitch?: VoicePitch | undefined;
}

export function voiceSettings(pack: VoicePack, dia: DiaModel, dac: DacModel): VoiceSettings {
  const { voice } = pack.manifest;
  if (!voice) throw new Error("pack.json: the pack has no voice");
  const { sampleRate, hop } = dac.config;
  const spaces = voice.text?.numbered_spaces;
  const speakers = voice.speakers ?? {};
  const rows = dia.config.decoder.max_position_embeddings - dia.config.maxDelay - 2;
  return {
    frameRate: sampleRate / hop,
    sampleRate,
    normalise: voice.text?.normaliser === "plain",
    spaces,
    speakers,
    limits: {
      minSeconds: voice.chunk_seconds.min,
      maxSeconds: voice.chunk_seconds.max,
      maxLines: voice.lines_per_chunk,
      ...(voice.text?.normaliser === "plain" ? {} : { maxTurns: MAX_TURNS }),
      charactersPerSecond: voice.characters_per_second ?? 14,
      maxBytes: dia.config.encoder.max_position_embeddings - 8,
      ...(spaces ? { maxWords: spaces.count } : {}),
      sharedVoices: Object.keys(speakers).length > 0,
    },
    maxFrames: Math.min(voice.max_tokens, rows),
    pitch: voice.pitch && { 1: voice.pitch.S1, 2: voice.pitch.S2 },
  };
}
