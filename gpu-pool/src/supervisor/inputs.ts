import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GuardedFetchError, guardedFetch, type SpeechSpec } from "@cartoon/protos";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import type { VoiceFile } from "../assets/cast.ts";
import { decodeSound, SoundError } from "../media/index.ts";
import type { RunnerJob } from "../runner/messages.ts";
import { SpecError } from "./spec-from-wire.ts";
import { sha256 } from "./upload.ts";

const MAX_VOICE_BYTES = 20_000_000;
const MAX_STATE_BYTES = 1_000_000_000;

export interface VoiceOptions {
  folder: string;
  ffmpeg: string;
  /** Private hosts that users may name. */
  allowHosts: readonly string[];
  signal: AbortSignal;
}

/** `host:port` of every store that the request itself names: the edge chose them, so they may be private. */
export function storeHosts({ uploads, checkpoint, inputs, assets }: RunRequest__Output): string[] {
  const targets = uploads.map(({ put_url }) => put_url);
  const sources = [...inputs, ...assets].map(({ get_url }) => get_url);
  const urls = [...targets, ...sources, checkpoint?.put_url, checkpoint?.get_url];
  return urls.flatMap((text) => {
    if (!text || !URL.canParse(text)) return [];
    const url = new URL(text);
    return [
      `${url.hostname.replace(/^\[|\]$/g, "")}:${url.port || (url.protocol === "https:" ? "443" : "80")}`,
    ];
  });
}

/**
 * Fetches the voice prompts that a request names by URL, and decodes them.
 * @throws SpecError naming the one that cannot be had or is no sound
 */
export async function fetchVoices(
  speech: SpeechSpec,
  { folder, ffmpeg, allowHosts, signal }: VoiceOptions,
): Promise<RunnerJob["references"]> {
  return Promise.all(
    speech.voices.map(async ({ character, audio_url, transcript }, i) => {
      const limits = { maxBytes: MAX_VOICE_BYTES, timeoutMs: 30_000, allowHosts, signal };
      const response = await guardedFetch(audio_url, limits).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!(error instanceof GuardedFetchError)) throw error;
        throw new SpecError(`speech.voices.${i}.audio_url: ${error.message}`);
      });
      if (response.status !== 200)
        throw new SpecError(`speech.voices.${i}.audio_url: answered ${response.status}`);
      const given = join(folder, `voice-${i}`);
      await writeFile(given, response.body);
      const file = await toWavFile(ffmpeg, given, `speech.voices.${i}.audio_url`, signal);
      return { character, file, transcript };
    }),
  );
}

/** @throws SpecError naming the field of a clip that is no sound */
async function toWavFile(ffmpeg: string, given: string, field: string, signal: AbortSignal): Promise<string> {
  try {
    await decodeSound(ffmpeg, given, `${given}.wav`, signal);
    return `${given}.wav`;
  } catch (error) {
    if (error instanceof SoundError) throw new SpecError(`${field}: ${error.message}`);
    throw error;
  }
}

/** The reference clips of registered characters, decoded. @throws SpecError naming the character */
export async function decodeVoices(
  voices: readonly VoiceFile[],
  { ffmpeg, signal }: Pick<VoiceOptions, "ffmpeg" | "signal">,
): Promise<RunnerJob["references"]> {
  return Promise.all(
    voices.map(async ({ character, file, transcript }) => ({
      character,
      transcript,
      file: await toWavFile(ffmpeg, file, `registered.${character}.voice`, signal),
    })),
  );
}

/**
 * Fetches the state of an earlier attempt and checks its hash.
 * @returns undefined when there is none; throws when it cannot be had or is damaged
 */
export async function fetchState(
  request: RunRequest__Output,
  folder: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { checkpoint } = request;
  if (!checkpoint?.get_url) return undefined;
  const response = await guardedFetch(checkpoint.get_url, {
    maxBytes: MAX_STATE_BYTES,
    timeoutMs: 60_000,
    redirects: 0,
    allowHosts: storeHosts(request),
    signal,
  });
  if (response.status !== 200) throw new Error(`the store answered ${response.status}`);
  if (checkpoint.get_sha256 && sha256(response.body) !== checkpoint.get_sha256) {
    throw new Error("the checkpoint is damaged: its SHA-256 is another one");
  }
  const file = join(folder, "resume.bin");
  await writeFile(file, response.body);
  return file;
}
