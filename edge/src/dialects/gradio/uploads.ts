import { createHash, randomBytes } from "node:crypto";
import { SpeechSpec } from "@cartoon/protos";
import { z } from "zod";
import type { Principal } from "../../auth/principal.ts";
import { inspectVoice, MAX_VOICE_BYTES, VoiceClipError } from "../../characters/voice-clip.ts";
import { ApiError } from "../../errors/table.ts";
import type { Services } from "../../services.ts";
import { jobPrefix } from "../../store/key.ts";

/** What one upload may weigh, its form included. */
export const MAX_UPLOAD_BYTES = MAX_VOICE_BYTES + 64 * 1024;
const MAX_FILES = 4;
/** As long as a presigned URL may live; the file itself is swept a day after it came. */
const URL_SECONDS = 86_400;

const NAMES = {
  wav: "clip.wav",
  flac: "clip.flac",
  mp3: "clip.mp3",
  ogg: "clip.ogg",
  m4a: "clip.m4a",
  webm: "clip.webm",
};
const PATH = /^upload_([0-9a-f]{32})\/(clip\.[a-z0-9]{3,4})$/;

type VoicePrompt = SpeechSpec["voices"][number];
const FileData = z.object({ path: z.string().max(2048) }).loose();

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

/**
 * Keeps the files of a form as Gradio's `/upload` does.
 * @returns their paths, which inputs may name from now on
 * @throws ApiError for what is no voice clip
 */
export async function keepUploads(
  services: Services,
  principal: Principal,
  form: FormData,
): Promise<string[]> {
  const files = form.getAll("files").filter((file): file is File => file instanceof File);
  if (files.length === 0) throw invalid("files", "at least one file is needed");
  if (files.length > MAX_FILES) throw invalid("files", `at most ${MAX_FILES} files at once`);
  return Promise.all(
    files.map(async (file) => {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const name = NAMES[formatOf(bytes)];
      const id = randomBytes(16).toString("hex");
      await services.store.put(
        keyOf(principal.tenant, id, name),
        bytes,
        file.type || "application/octet-stream",
      );
      return `upload_${id}/${name}`;
    }),
  );
}

function formatOf(bytes: Uint8Array) {
  try {
    return inspectVoice(bytes, bytes.length).format;
  } catch (error) {
    if (error instanceof VoiceClipError) throw invalid("files", error.message);
    throw error;
  }
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

async function keyOfPath(
  services: Services,
  { tenant }: Principal,
  path: string,
): Promise<string | undefined> {
  const [, id, name] = PATH.exec(path) ?? [];
  if (id === undefined || name === undefined) return undefined;
  const key = keyOf(tenant, id, name);
  if (!(await services.store.head(key)))
    throw new ApiError("not_found", "there is no such upload (any more)");
  return key;
}

/**
 * The voice that a function's inputs ask for: an uploaded clip or one by URL, with what is said in it.
 * @throws ApiError naming the input
 */
export async function voiceOf(
  services: Services,
  principal: Principal,
  input: Record<string, unknown>,
): Promise<VoicePrompt | undefined> {
  const { voice_clip: clip, voice_transcript: transcript, voice_character: character } = input;
  if (clip === null || clip === undefined) return undefined;
  const file = FileData.safeParse(clip);
  if (!file.success) throw invalid("voice_clip", "a file is needed");
  const { path } = file.data;
  const key = await keyOfPath(services, principal, path);
  const audio_url = key ? await services.store.signInternalGet(key, URL_SECONDS) : path;
  const prompt = SpeechSpec.shape.voices.element.safeParse({ character, audio_url, transcript });
  if (prompt.success) return prompt.data;
  const [issue] = prompt.error.issues;
  const field = issue?.path[0] === "audio_url" ? "voice_clip" : `voice_${String(issue?.path[0])}`;
  throw invalid(
    field,
    field === "voice_transcript" ? "what is said in the clip is needed" : (issue?.message ?? ""),
  );
}
