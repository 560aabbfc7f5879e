import type { CharacterManifest, PackManifest } from "@cartoon/protos/pack-manifest";
import type { SpeechSpec, Warning } from "@cartoon/protos/render-spec";

/** A pack on disk: its folder and its parsed `pack.json`. */
export interface VoicePack {
  readonly dir: string;
  readonly manifest: Pick<PackManifest, "components" | "voice" | "characters">;
}

export interface LoadDiaOptions {
  /** Folder for graph files; on the pack's own file system they take no space. Default: inside the pack. */
  readonly cacheDir?: string;
  /** ONNX Runtime execution provider. */
  readonly device: "cpu" | "cuda";
  /** Intra-op threads; 0 lets ONNX Runtime choose. */
  readonly threads?: number;
}

/** A reference clip that pins the voice of one character. */
export interface VoiceReference {
  readonly character: string;
  /** The bytes of a WAV file (PCM 8 to 32 bit or float, any rate, any channel count). */
  readonly wav: Uint8Array;
  /** What is said in the clip, word for word. */
  readonly transcript: string;
}

export interface SpeechProgress {
  /** Seconds of speech made so far. */
  readonly seconds: number;
  /** Estimated seconds in all; grows or shrinks as chunks end. */
  readonly expectedSeconds: number;
  readonly chunk: number;
  readonly chunks: number;
}

/**
 * Audio for listening while the rest is made. Played by number, the parts are the dialogue: most are a finished chunk.
 * The first chunk can be heard while it is made, in parts that grow. When it has to be made again, or turns out
 * differently, all of it comes once more, as a later attempt: whoever has not heard it yet leaves out the attempts
 * before.
 */
export interface SpeechAudio {
  /** Mono PCM, -1 to 1, at the loudness of the whole as far as it is known yet. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
  /** Number of the part from 0. */
  readonly part: number;
  /** The chunk that it belongs to, from 0. */
  readonly chunk: number;
  /** A part replaces all parts of its chunk that have a smaller attempt; from 0. */
  readonly attempt: number;
  /** Seconds from the start of the dialogue, as far as it is known: silence may still be cut before it. */
  readonly start: number;
  readonly last: boolean;
}

export interface SpeakOptions {
  /** Checked between runs of at most 200 ms of work. An abort rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** The same bytes on a GPU, too, whatever other dialogues wait at the same time. */
  readonly deterministic?: boolean;
  readonly onProgress?: (progress: SpeechProgress) => void | Promise<void>;
  readonly onAudio?: (audio: SpeechAudio) => void | Promise<void>;
  /** Characters of the clip in order: `S1` is the first, `S2` the second, where a line names none. */
  readonly cast?: readonly string[];
  /** Characters beside those of the pack. */
  readonly characters?: readonly CharacterManifest[];
  /** Reference clips sent with the request; they win over the pack's own. */
  readonly references?: readonly VoiceReference[];
}

export interface SpokenLine {
  /** `S1` or `S2`: the voice of the model that spoke. */
  readonly speaker: string;
  /** Name of the character, or null where the pack binds none to that voice. */
  readonly character: string | null;
  /** The line as the user wrote it. */
  readonly text: string;
  /** Seconds from the start of the audio. */
  readonly start: number;
  readonly end: number;
}

/** Loudness of the voice over time, for mouths. */
export interface MouthTrack {
  /** Values per second. */
  readonly rate: number;
  /** 0 (silent) to 1 (loud), one value per frame. */
  readonly levels: Float32Array;
}

export interface SpeechTimings {
  readonly encodeSeconds: number;
  readonly decodeSeconds: number;
  readonly codecSeconds: number;
  readonly totalSeconds: number;
  /** Dia frames made, retries included. */
  readonly frames: number;
  readonly retries: number;
}

export interface Speech {
  /** Mono PCM, -1 to 1, at -16 LUFS and at most -1 dBTP. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
  readonly lines: SpokenLine[];
  readonly mouth: MouthTrack;
  readonly warnings: Warning[];
  readonly timings: SpeechTimings;
}

export interface DiaVoice {
  readonly sampleRate: number;
  readonly loadSeconds: number;
  speak(speech: SpeechSpec, options?: SpeakOptions): Promise<Speech>;
  release(): Promise<void>;
}
