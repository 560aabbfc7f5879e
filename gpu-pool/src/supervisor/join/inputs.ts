import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guardedFetch } from "@cartoon/protos";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import { type Caption, fromWav, fromWebVtt, type Sound } from "../../media/index.ts";
import { storeHosts } from "../inputs.ts";
import { SpecError } from "../spec-from-wire.ts";
import { sha256 } from "../upload.ts";

/** A shot of a storyboard as its own job has made it. */
export interface ShotMaterial {
  jobId: string;
  /** MP4 with the picture. */
  file: string;
  seconds: number;
  sound?: Sound;
  captions: Caption[];
  manifest: { sha256: string; seed: unknown };
}

/** Results of the shots could not be had; they may be had again. */
export class InputError extends Error {
  override readonly name = "InputError";
}

type Input = RunRequest__Output["inputs"][number];

const MAX_INPUT_BYTES = 2_000_000_000;
const TIMEOUT_MS = 120_000;

/**
 * Fetches what the shots of a join have made, and checks every hash.
 * @throws InputError naming the shot and the file; SpecError when a shot has no clip
 */
export async function fetchShots(
  request: RunRequest__Output,
  shots: { job_id: string }[],
  folder: string,
  signal: AbortSignal,
): Promise<ShotMaterial[]> {
  const allowHosts = storeHosts(request);
  const material: ShotMaterial[] = [];
  for (const [shot, { job_id: jobId }] of shots.entries()) {
    const get = async (name: string) => {
      const input = request.inputs.find((one) => one.shot === shot && one.name === name);
      return input && { ...input, body: await fetchInput(input, allowHosts, signal) };
    };
    const [clip, speech, captions, manifest] = await Promise.all(
      ["clip.mp4", "speech.wav", "captions.vtt", "manifest.json"].map(get),
    );
    if (!clip) throw new SpecError(`join.shots.${shot}: its clip.mp4 is not among the inputs`);
    const file = join(folder, `shot-${shot}.mp4`);
    await writeFile(file, clip.body);
    material.push({
      ...{ jobId, file, seconds: clip.seconds },
      sound: speech && fromWav(speech.body),
      captions: captions ? fromWebVtt(new TextDecoder().decode(captions.body)) : [],
      manifest: { sha256: manifest?.sha256 ?? "", seed: manifest && seedOf(manifest.body) },
    });
  }
  return material;
}

function seedOf(manifest: Uint8Array): unknown {
  const { seed } = JSON.parse(new TextDecoder().decode(manifest)) as { seed?: unknown };
  return seed;
}

async function fetchInput(input: Input, allowHosts: string[], signal: AbortSignal): Promise<Uint8Array> {
  const where = `shot ${input.shot + 1}, ${input.name}`;
  const limits = { maxBytes: MAX_INPUT_BYTES, timeoutMs: TIMEOUT_MS, redirects: 0, allowHosts, signal };
  const response = await guardedFetch(input.get_url, limits).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new InputError(`${where}: ${error instanceof Error ? error.message : "could not be fetched"}`);
  });
  if (response.status !== 200) throw new InputError(`${where}: the store answered ${response.status}`);
  if (sha256(response.body) !== input.sha256) throw new InputError(`${where}: is not what its job has made`);
  return response.body;
}
