import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guardedFetch, type SpeechSpec } from "@cartoon/protos";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import type { RunnerJob } from "../runner/messages.ts";
import { SpecError } from "./spec-from-wire.ts";
import { sha256 } from "./upload.ts";

const MAX_VOICE_BYTES = 20_000_000;
const MAX_STATE_BYTES = 1_000_000_000;

/** `host:port` of every store that the request itself names: the edge chose them, so they may be private. */
export function storeHosts({ uploads, checkpoint, inputs }: RunRequest__Output): string[] {
  const targets = uploads.map(({ put_url }) => put_url);
  const sources = inputs.map(({ get_url }) => get_url);
  const urls = [...targets, ...sources, checkpoint?.put_url, checkpoint?.get_url];
  return urls.flatMap((text) => {
    if (!text || !URL.canParse(text)) return [];
    const url = new URL(text);
    return [
      `${url.hostname.replace(/^\[|\]$/g, "")}:${url.port || (url.protocol === "https:" ? "443" : "80")}`,
    ];
  });
}

/** Fetches the voice prompts of a request. @throws SpecError naming the one that cannot be had */
export async function fetchVoices(
  speech: SpeechSpec,
  request: RunRequest__Output,
  folder: string,
  signal: AbortSignal,
): Promise<RunnerJob["references"]> {
  const allowHosts = storeHosts(request);
  return Promise.all(
    speech.voices.map(async ({ character, audio_url, transcript }, i) => {
      const limits = { maxBytes: MAX_VOICE_BYTES, timeoutMs: 30_000, allowHosts, signal };
      const response = await guardedFetch(audio_url, limits).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new SpecError(
          `speech.voices.${i}.audio_url: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
      if (response.status !== 200)
        throw new SpecError(`speech.voices.${i}.audio_url: answered ${response.status}`);
      const file = join(folder, `voice-${i}.wav`);
      await writeFile(file, response.body);
      return { character, file, transcript };
    }),
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
