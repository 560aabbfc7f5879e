import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClipSpec, GuardedFetchError, guardedFetch, inlineImage } from "@cartoon/protos";
import { decodeImage, ImageError } from "../media/index.ts";
import type { RunnerJob } from "../runner/messages.ts";
import { SpecError } from "./spec-from-wire.ts";
import { sha256 } from "./upload.ts";

const MAX_IMAGE_BYTES = 20_000_000;
const FIELD = "clip.start_image.url";

/**
 * Fetches the start image of a clip through the guard, or takes it from the request itself, and decodes it.
 * @throws SpecError when it cannot be had or is no picture
 */
export async function fetchStartImage(
  { start_image }: ClipSpec,
  folder: string,
  options: { allowHosts: readonly string[]; signal: AbortSignal },
): Promise<RunnerJob["startImage"]> {
  if (!start_image) return undefined;
  const { url, strength } = start_image;
  const bytes = inlineImage(url) ?? (await fetchBytes(url, options));
  try {
    const { data, width, height } = await decodeImage(bytes);
    const file = join(folder, "start.rgb");
    await writeFile(file, data);
    return { file, width, height, strength, sha256: sha256(bytes) };
  } catch (error) {
    if (error instanceof ImageError) throw new SpecError(`${FIELD}: ${error.message}`);
    throw error;
  }
}

async function fetchBytes(
  url: string,
  { allowHosts, signal }: { allowHosts: readonly string[]; signal: AbortSignal },
): Promise<Uint8Array> {
  const limits = { maxBytes: MAX_IMAGE_BYTES, timeoutMs: 30_000, allowHosts, signal };
  const response = await guardedFetch(url, limits).catch((error: unknown) => {
    signal.throwIfAborted();
    if (!(error instanceof GuardedFetchError)) throw error;
    throw new SpecError(`${FIELD}: ${error.message}`);
  });
  if (response.status !== 200) throw new SpecError(`${FIELD}: answered ${response.status}`);
  return response.body;
}
