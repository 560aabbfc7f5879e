import { createHash } from "node:crypto";
import type { NewAsset } from "@cartoon/db";
import { GuardedFetchError, guardedFetch } from "@cartoon/protos";
import {
  inspectLora,
  LoraFileError,
  type LoraSummary,
  MAX_LORA_HEADER_BYTES,
} from "@cartoon/protos/lora/inspect";
import { HeaderProblem, headerLength, LENGTH_BYTES } from "@cartoon/protos/lora/safetensors-header";
import { ApiError } from "../errors/table.ts";
import type { Services } from "../services.ts";
import { IncomingFile } from "./incoming-file.ts";
import {
  inspectVoice,
  MAX_VOICE_BYTES,
  VOICE_HEAD_BYTES,
  type VoiceClip,
  VoiceClipError,
} from "./voice-clip.ts";

export type FileKind = "lora" | "voice";

const FETCH_MS = 120_000;

export const fieldError = (field: string, detail: string) =>
  new ApiError("validation_failed", `#/${field}: ${detail}`, {
    errors: [{ detail, pointer: `#/${field}` }],
  });

export const maxBytesOf = (kind: FileKind, { config }: Services) =>
  kind === "lora" ? config.maxUploadBytes : Math.min(MAX_VOICE_BYTES, config.maxUploadBytes);

/** Where uploads wait until they have been looked at. */
export const incomingFolder = ({ config }: Services) => `${config.dataDir}/incoming`;

/** Fetches a file that a user named by URL, through the guard. @throws ApiError naming the field */
export async function fetchFile(
  services: Services,
  kind: FileKind,
  url: string,
  field: string,
): Promise<IncomingFile> {
  const file = await IncomingFile.create(incomingFolder(services), field, maxBytesOf(kind, services));
  try {
    const { status } = await guardedFetch(url, {
      maxBytes: maxBytesOf(kind, services),
      timeoutMs: FETCH_MS,
      allowHosts: services.config.fetchAllow,
      signal: services.stopping,
      sink: (chunk) => file.write(chunk),
    });
    if (status !== 200) throw fieldError(field, `the server answered ${status}`);
    file.finish();
    return file;
  } catch (error) {
    await file.discard();
    if (error instanceof GuardedFetchError) throw fieldError(field, error.message);
    throw error;
  }
}

/** What a LoRA file is, by its header. @throws ApiError */
export async function lookAtLora(file: IncomingFile, field: string): Promise<LoraSummary> {
  try {
    const first = await file.read(0, LENGTH_BYTES);
    const length = headerLength(first, file.bytes, MAX_LORA_HEADER_BYTES);
    return inspectLora(await file.read(LENGTH_BYTES, length), file.bytes);
  } catch (error) {
    if (error instanceof HeaderProblem)
      throw fieldError(field, `not a valid safetensors file: ${error.message}`);
    if (error instanceof LoraFileError) throw fieldError(field, error.message);
    throw error;
  }
}

/** What a voice clip is, by its first bytes. @throws ApiError */
export async function lookAtVoice(file: IncomingFile, field: string): Promise<VoiceClip> {
  try {
    return inspectVoice(await file.read(0, VOICE_HEAD_BYTES), file.bytes);
  } catch (error) {
    if (error instanceof VoiceClipError) throw fieldError(field, error.message);
    throw error;
  }
}

/** A tenant's folder in the store: its name is nobody else's business. */
export const tenantFolder = (tenant: string) =>
  `assets/${createHash("sha256").update(tenant).digest("hex").slice(0, 32)}`;

export const assetOf = (tenant: string, kind: FileKind, file: IncomingFile): NewAsset => ({
  sha256: file.sha256,
  kind,
  bytes: file.bytes,
  storageKey: `${tenantFolder(tenant)}/${file.sha256}`,
});
