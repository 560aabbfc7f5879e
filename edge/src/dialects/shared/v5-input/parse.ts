import { MAX_SEED, type PackManifest, type Warning } from "@cartoon/protos";
import { ApiError } from "../../../errors/table.ts";
import type { RenderRequest } from "../../../renders/request.ts";
import { type Contract, NUMBER_FIELDS, type NumberField, type Task } from "./contract.ts";

const KNOWN = new Set<string>([
  ...NUMBER_FIELDS,
  "task_type",
  "character",
  "characters",
  "prompt",
  "negative_prompt",
  "dialogue_text",
  "seed",
]);
const BOTH = new Set(["both", "both (multi-character)", "multi", "multi-character"]);
const SHOWN = 80;

export interface ParsedV5 {
  request: RenderRequest;
  warnings: Warning[];
}

const refuse = (field: string, detail: string) =>
  new ApiError("validation_failed", `${field}: ${detail}`, { errors: [{ detail, pointer: `#/${field}` }] });

const show = (value: unknown) =>
  String(typeof value === "string" ? value : JSON.stringify(value)).slice(0, SHOWN);

/** Reads the fields of one request; every change of a value is noted down. */
class Reader {
  readonly warnings: Warning[] = [];
  readonly #input: Record<string, unknown>;
  readonly #contract: Contract;

  constructor(input: Record<string, unknown>, contract: Contract) {
    this.#input = input;
    this.#contract = contract;
    for (const field of Object.keys(input))
      if (!KNOWN.has(field))
        this.warn(field.slice(0, SHOWN), show(input[field]), "", "unknown field, not used");
  }

  warn(field: string, given: string, used: string, rule: string): void {
    this.warnings.push({ field, given, used, rule });
  }

  /** Clamped as in v5; numbers may come as text, as from a form. */
  number(field: NumberField): number {
    const rule = this.#contract.numbers[field];
    const given = this.#input[field];
    if (given === undefined || given === null || given === "") return rule.default;
    const value = typeof given === "string" ? Number(given) : given;
    if (typeof value !== "number" || !Number.isFinite(value)) throw refuse(field, "a number is needed");
    const rounded = rule.integer ? Math.round(value) : value;
    const used = Math.min(rule.max, Math.max(rule.min, rounded));
    if (used !== value)
      this.warn(field, show(given), String(used), `${this.#contract.name}: ${rule.min} to ${rule.max}`);
    return used;
  }

  text(field: string, maxLetters: number): string | undefined {
    const given = this.#input[field];
    if (given === undefined || given === null) return undefined;
    if (typeof given !== "string") throw refuse(field, "text is needed");
    const text = given.trim();
    if (text === "") return undefined;
    if (text.length <= maxLetters) return text;
    const cut = [...text.slice(0, maxLetters)].join("").trimEnd();
    this.warn(
      field,
      `${text.length} letters`,
      `${cut.length} letters`,
      `${this.#contract.name}: at most ${maxLetters}`,
    );
    return cut.isWellFormed() ? cut : cut.slice(0, -1);
  }

  /** v5 takes one name, a list, or both at once under one word; `characters` wins. */
  characters(pack: PackManifest): string[] | undefined {
    const given = this.#input.characters ?? this.#input.character;
    const field = this.#input.characters == null ? "character" : "characters";
    if (given === undefined || given === null || given === "")
      return pack.characters.slice(0, 1).map(({ name }) => name);
    const list = typeof given === "string" ? given.split(",") : given;
    if (!Array.isArray(list) || !list.every((name) => typeof name === "string"))
      throw refuse(field, "a name or a list of names is needed");
    const names = list.map((name) => name.trim().toLowerCase()).filter((name) => name !== "");
    const [first] = names;
    if (names.length === 1 && first !== undefined && BOTH.has(first))
      return pack.characters.slice(0, 2).map(({ name }) => name);
    if (names.length === 0) throw refuse(field, "at least one character is needed");
    const known = pack.characters.map(({ name }) => name);
    for (const name of names)
      if (!known.includes(name))
        throw refuse(field, `unknown character "${name.slice(0, SHOWN)}"; known: ${known.join(", ")}`);
    return [...new Set(names)];
  }

  /** Undefined for a random one: the request itself stays the same when it is sent again. */
  seed(): number | undefined {
    const given = this.#input.seed;
    if (given === undefined || given === null || given === "") return undefined;
    const value = typeof given === "string" ? Number(given) : given;
    if (typeof value !== "number" || !Number.isSafeInteger(value))
      throw refuse("seed", "a whole number is needed");
    const used = Math.min(MAX_SEED, Math.abs(value));
    // Negative seeds mean "random" to some clients and an error to torch.
    if (value < 0) this.warn("seed", show(given), String(used), "seeds are not negative");
    return used;
  }
}

/**
 * A request in the manner of v5 as one of ours. Values out of range are clamped, as v5 did, with a warning each.
 * @throws ApiError `validation_failed`
 */
export function parseV5(input: unknown, task: Task, contract: Contract, pack: PackManifest): ParsedV5 {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw refuse("body", "an object is needed");
  // In the voice endpoint of v5 the voice's guidance had the picture's name.
  const fields: Record<string, unknown> = { ...input };
  if (task === "tts" && fields.tts_guidance_scale == null) {
    fields.tts_guidance_scale = fields.guidance_scale;
    delete fields.guidance_scale;
  }
  const reader = new Reader(fields, contract);
  const number = (field: NumberField) => reader.number(field);
  const request: RenderRequest = { seed: reader.seed(), characters: reader.characters(pack) };
  if (task !== "tts") {
    request.prompt = reader.text("prompt", contract.prompt);
    if (request.prompt === undefined) throw refuse("prompt", "a prompt is needed");
    request.negative_prompt = reader.text("negative_prompt", contract.prompt);
    request.clip = {
      width: number("width"),
      height: number("height"),
      num_frames: number("num_frames"),
      fps: number("fps"),
      guidance_scale: number("guidance_scale"),
      num_inference_steps: number("num_inference_steps"),
    };
  }
  if (task !== "animation") {
    request.dialogue = reader.text("dialogue_text", contract.dialogue);
    if (request.dialogue === undefined) throw refuse("dialogue_text", "a dialogue is needed");
    request.speech = {
      max_new_tokens: number("max_new_tokens"),
      guidance_scale: number("tts_guidance_scale"),
      temperature: number("temperature"),
      top_p: number("top_p"),
      top_k: number("top_k"),
    };
  }
  return { request, warnings: reader.warnings };
}
