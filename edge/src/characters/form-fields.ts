import { validationError } from "../errors/from-zod.ts";
import { fieldError } from "./files.ts";
import { CharacterFields } from "./schema.ts";

const NUMBERS = new Set(["weight", "voice_seed"]);

/**
 * The fields of a form: numbers as text, trigger words with commas between them or one a field, suggestions as JSON.
 * Fields that were left empty count as absent.
 * @throws ApiError
 */
export function fieldsOfForm(form: ReadonlyMap<string, readonly string[]>): CharacterFields {
  const given: Record<string, unknown> = {};
  for (const [name, values] of form) {
    const [value = ""] = values;
    if (name === "triggers") {
      const words = values.flatMap((text) => text.split(",")).map((word) => word.trim());
      given.triggers = words.filter((word) => word !== "");
    } else if (value.trim() === "") continue;
    else if (values.length > 1) throw fieldError(name.slice(0, 64), "given twice");
    else if (name === "suggestions") given.suggestions = json(value);
    else given[name] = NUMBERS.has(name) ? Number(value) : value.trim();
  }
  if (Array.isArray(given.triggers) && given.triggers.length === 0) delete given.triggers;
  const parsed = CharacterFields.safeParse(given);
  if (!parsed.success) throw validationError(parsed.error.issues);
  return parsed.data;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fieldError("suggestions", 'JSON such as [{"prompt":"…","dialogue":"…"}] is needed');
  }
}
