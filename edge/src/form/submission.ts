import { validationError } from "../errors/from-zod.ts";
import { RenderRequest } from "../renders/request.ts";

export const PICTURE = [
  "width",
  "height",
  "num_frames",
  "fps",
  "num_inference_steps",
  "guidance_scale",
] as const;
export const VOICE = {
  max_new_tokens: "max_new_tokens",
  tts_guidance_scale: "guidance_scale",
  temperature: "temperature",
  top_p: "top_p",
  top_k: "top_k",
} as const;

function characters(values: Record<string, string>, pair: readonly string[]) {
  if (values.character !== "both") return values.character ? [values.character] : undefined;
  const blend = Number(values.blend ?? 50) / 100;
  const weights = [1 - blend, blend];
  return pair
    .slice(0, 2)
    .map((name, index) => ({ name, weight: Number((weights[index] ?? 0.5).toFixed(2)) }));
}

/** The numbers among the form's fields that are filled in, under the names of the API. */
export function numbersOf(
  values: Record<string, string>,
  names: Readonly<Record<string, string>>,
): Record<string, number> {
  const filled = Object.entries(names).filter(([field]) => (values[field] ?? "") !== "");
  return Object.fromEntries(filled.map(([field, name]) => [name, Number(values[field])]));
}

/**
 * The request behind the form's fields as a browser without JavaScript sends them.
 * @param pair the names that "both" stands for
 * @throws ApiError `validation_failed`
 */
export function requestOfForm(values: Record<string, string>, pair: readonly string[]): RenderRequest {
  const kind = values.kind ?? "combined";
  const withClip = kind !== "speech";
  const withSpeech = kind !== "animation" && (values.dialogue ?? "").trim() !== "";
  const parsed = RenderRequest.safeParse({
    ...(withClip
      ? {
          prompt: values.prompt ?? "",
          ...(values.negative_prompt ? { negative_prompt: values.negative_prompt } : {}),
          characters: characters(values, pair),
          clip: numbersOf(values, Object.fromEntries(PICTURE.map((name) => [name, name]))),
        }
      : {}),
    ...(withSpeech
      ? {
          dialogue: values.dialogue,
          speech: numbersOf(values, VOICE),
        }
      : {}),
    output: { ...(values.fit ? { fit: values.fit } : {}), captions: values.captions === "yes" },
    ...(values.seed?.trim() ? { seed: Number(values.seed) } : {}),
  });
  if (!parsed.success) throw validationError(parsed.error.issues);
  return parsed.data;
}
