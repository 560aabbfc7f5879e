import { SpeechSpec, StartImage } from "@cartoon/protos";
import { z } from "zod";
import type { Principal } from "../../auth/principal.ts";
import { ApiError } from "../../errors/table.ts";
import type { Services } from "../../services.ts";
import { keepUpload, uploadUrlForNode } from "../shared/uploads.ts";

const MAX_FILES = 4;
type VoicePrompt = SpeechSpec["voices"][number];
const FileData = z.object({ path: z.string().max(2048) }).loose();

const invalid = (field: string, detail: string) =>
  new ApiError("validation_failed", `${field}: ${detail}`, { errors: [{ detail, pointer: `#/${field}` }] });

/**
 * Keeps the files of a form as Gradio's `/upload` does.
 * @returns their paths, which inputs may name from now on
 */
export async function keepFiles(services: Services, principal: Principal, form: FormData): Promise<string[]> {
  const files = form.getAll("files").filter((file): file is File => file instanceof File);
  if (files.length === 0) throw invalid("files", "at least one file is needed");
  if (files.length > MAX_FILES) throw invalid("files", `at most ${MAX_FILES} files at once`);
  return Promise.all(files.map((file) => keepUpload(services, principal, file, "files")));
}

async function urlOf(
  services: Services,
  principal: Principal,
  field: string,
  given: unknown,
): Promise<string> {
  const file = FileData.safeParse(given);
  if (!file.success) throw invalid(field, "a file is needed");
  return (await uploadUrlForNode(services, principal, file.data.path)) ?? file.data.path;
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
  const audio_url = await urlOf(services, principal, "voice_clip", clip);
  const prompt = SpeechSpec.shape.voices.element.safeParse({ character, audio_url, transcript });
  if (prompt.success) return prompt.data;
  const [issue] = prompt.error.issues;
  const field = issue?.path[0] === "audio_url" ? "voice_clip" : `voice_${String(issue?.path[0])}`;
  throw invalid(
    field,
    field === "voice_transcript" ? "what is said in the clip is needed" : (issue?.message ?? ""),
  );
}

/** The picture that a clip starts from, uploaded or by URL. @throws ApiError naming the input */
export async function startImageOf(
  services: Services,
  principal: Principal,
  { start_image: image, start_strength: strength }: Record<string, unknown>,
): Promise<StartImage | undefined> {
  if (image === null || image === undefined) return undefined;
  const url = await urlOf(services, principal, "start_image", image);
  const start = StartImage.safeParse({ url, strength: strength ?? undefined });
  if (start.success) return start.data;
  const [issue] = start.error.issues;
  throw invalid(issue?.path[0] === "strength" ? "start_strength" : "start_image", issue?.message ?? "");
}
