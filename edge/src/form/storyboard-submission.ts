import { validationError } from "../errors/from-zod.ts";
import { StoryboardRequest } from "../storyboards/request.ts";
import { FIRST_SHOTS } from "./storyboard-section.ts";
import { numbersOf, PICTURE, VOICE } from "./submission.ts";

/**
 * The storyboard behind the form's fields as a browser without JavaScript sends them; shots without a prompt are left
 * out.
 * @param pair the names that "both" stands for
 * @throws ApiError `validation_failed`
 */
export function storyboardOfForm(values: Record<string, string>, pair: readonly string[]): StoryboardRequest {
  const named = Array.from(
    { length: FIRST_SHOTS },
    (_, i) => (field: string) => (values[`shot${i + 1}_${field}`] ?? "").trim(),
  ).filter((shot) => shot("prompt") !== "");
  const shots = named.map((shot, i) => {
    const character = shot("character");
    const transition = shot("transition");
    return {
      prompt: shot("prompt"),
      ...(character ? { characters: character === "both" ? pair.slice(0, 2) : [character] } : {}),
      ...(shot("dialogue") ? { dialogue: shot("dialogue") } : {}),
      ...(i < named.length - 1 && transition && transition !== "cut"
        ? { transition: { type: "crossfade", seconds: Number(transition) } }
        : {}),
    };
  });
  const text = (field: string) => (values[field]?.trim() ? { [field]: values[field] } : {});
  const parsed = StoryboardRequest.safeParse({
    ...text("title"),
    ...text("style"),
    ...text("negative_prompt"),
    shots,
    clip: numbersOf(values, Object.fromEntries(PICTURE.map((name) => [name, name]))),
    speech: numbersOf(values, VOICE),
    output: { ...(values.fit ? { fit: values.fit } : {}), captions: values.captions === "yes" },
    ...(values.seed?.trim() ? { seed: Number(values.seed) } : {}),
  });
  if (!parsed.success) throw validationError(parsed.error.issues);
  return parsed.data;
}
