import { createHash, randomBytes } from "node:crypto";
import type { Principal } from "../../auth/principal.ts";
import { inspectVoice, MAX_VOICE_BYTES, VoiceClipError } from "../../characters/voice-clip.ts";
import { ApiError } from "../../errors/table.ts";
import { bodyLimit } from "../../middleware/body-limit.ts";
import type { Services } from "../../services.ts";
import { jobPrefix } from "../../store/key.ts";

/** For nodes; the file itself is swept a day after it came. */
const NODE_URL_SECONDS = 86_400;
const TYPES = {
  wav: "audio/wav",
  flac: "audio/flac",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  m4a: "audio/mp4",
  webm: "audio/webm",
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
} as const;
type Format = keyof typeof TYPES;
const PATH = /^upload_([0-9a-f]{32})\/(file\.[a-z0-9]{3,4})$/;

/** The limit of routes that take a file in a form: a clip or picture with what is around it. */
export const uploadLimit = bodyLimit({ maxBytes: MAX_VOICE_BYTES + 64 * 1024, timeoutMs: 120_000 });

const invalid = (field: string, detail: string) =>
  new ApiError("validation_failed", `${field}: ${detail}`, { errors: [{ detail, pointer: `#/${field}` }] });

/**
 * Key of an upload: it lies beside the renders, under a job that there is not, so that the sweep of orphans takes it
 * away. The tenant is part of the key and not of the path: nobody else's path leads there.
 */
function keyOf(tenant: string, id: string, name: string): string {
  const owner = createHash("sha256").update(tenant).digest("hex").slice(0, 32);
  return `${jobPrefix(`upload_${owner}_${id}`)}${name}`;
}

function imageFormat(bytes: Uint8Array): Format | undefined {
  const head = Buffer.from(bytes.subarray(0, 12)).toString("latin1");
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (head.startsWith("\xff\xd8\xff")) return "jpeg";
  return head.startsWith("RIFF") && head.endsWith("WEBP") ? "webp" : undefined;
}

function formatOf(bytes: Uint8Array, field: string): Format {
  try {
    return imageFormat(bytes) ?? inspectVoice(bytes, bytes.length).format;
  } catch (error) {
    if (error instanceof VoiceClipError)
      throw invalid(field, `${error.message}, no PNG, JPEG or WebP picture`);
    throw error;
  }
}

/**
 * Keeps a picture or a voice clip for a day.
 * @param field the request's field, for errors
 * @returns its path, which requests of the same tenant may name
 * @throws ApiError for what is neither
 */
export async function keepUpload(
  services: Services,
  { tenant }: Principal,
  file: File,
  field: string,
): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const format = formatOf(bytes, field);
  const id = randomBytes(16).toString("hex");
  const name = `file.${format}`;
  await services.store.put(keyOf(tenant, id, name), bytes, TYPES[format]);
  return `upload_${id}/${name}`;
}

async function keyOfPath(
  services: Services,
  { tenant }: Principal,
  path: string,
): Promise<string | undefined> {
  const [, id, name] = PATH.exec(path) ?? [];
  if (id === undefined || name === undefined) return undefined;
  const key = keyOf(tenant, id, name);
  if (await services.store.head(key)) return key;
  throw new ApiError("not_found", "there is no such upload (any more)");
}

/** A client's URL for an upload of its own, or undefined where the path is no upload. @throws ApiError `not_found` */
export async function uploadUrl(
  services: Services,
  principal: Principal,
  path: string,
  origin: string,
): Promise<string | undefined> {
  const key = await keyOfPath(services, principal, path);
  return key && services.store.signGet(key, { expiresInSeconds: services.config.urlTtlSeconds, origin });
}

/** A node's URL for an upload, or undefined where the path is no upload. @throws ApiError `not_found` */
export async function uploadUrlForNode(
  services: Services,
  principal: Principal,
  path: string,
): Promise<string | undefined> {
  const key = await keyOfPath(services, principal, path);
  return key && services.store.signInternalGet(key, NODE_URL_SECONDS);
}
