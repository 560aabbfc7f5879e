import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { scanJson } from "@cartoon/protos/scan-json";
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { clipTokenizerJson } from "./clip-tokenizer-json.ts";

/** A tokenizer's files are not what they should be, in words. */
export class TokenizerError extends Error {
  override readonly name = "TokenizerError";
}

/** CLIP's own is 2 MB, with 49,408 words and 48,894 merges of two. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const LIMITS = { depth: 16, values: 300_000 };

const TokenName = z.union([
  z.string(),
  z.object({ content: z.string() }).transform((token) => token.content),
]);

const TokenizerConfig = z.looseObject({
  bos_token: TokenName.default("<|startoftext|>"),
  eos_token: TokenName.default("<|endoftext|>"),
  pad_token: TokenName.nullish(),
  model_max_length: z.number().positive().default(77),
});

const Vocabulary = z.record(z.string(), z.int().min(0));

const TokenizerFile = z.looseObject({
  model: z.looseObject({ type: z.literal("BPE").default("BPE"), vocab: Vocabulary }),
});

/** A CLIP byte-pair tokenizer from a folder in the Hugging Face layout. */
export class ClipTokenizer {
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /** Tokens of one text encoder pass, BOS and EOS included. */
  readonly maxLength: number;
  readonly #tokenizer: Tokenizer;

  constructor(tokenizer: Tokenizer, ids: { bosId: number; eosId: number; padId: number; maxLength: number }) {
    this.#tokenizer = tokenizer;
    this.bosId = ids.bosId;
    this.eosId = ids.eosId;
    this.padId = ids.padId;
    this.maxLength = ids.maxLength;
  }

  /**
   * @param maxLength positions that the text encoder has; the shorter of this and the tokenizer's own counts
   * @throws TokenizerError when a file is missing or is not a CLIP tokenizer
   */
  static async load(folder: string, maxLength: number): Promise<ClipTokenizer> {
    const config = await readJson(join(folder, "tokenizer_config.json"), TokenizerConfig);
    const tokenizerJson = await readTokenizer(folder, { bos: config.bos_token, eos: config.eos_token });
    const tokenizer = construct(folder, tokenizerJson, config);
    const idOf = (token: string): number => {
      const id = tokenizer.token_to_id(token);
      if (id === undefined)
        throw new TokenizerError(`${folder}: the vocabulary lacks ${JSON.stringify(token.slice(0, 80))}`);
      return id;
    };
    return new ClipTokenizer(tokenizer, {
      bosId: idOf(config.bos_token),
      eosId: idOf(config.eos_token),
      // Pad ids differ between the two SDXL tokenizers (eos and "!"), so the config decides.
      padId: idOf(config.pad_token ?? config.eos_token),
      maxLength: Math.min(maxLength, config.model_max_length),
    });
  }

  /**
   * Token ids of the words alone. Control tokens written out in a prompt ("<|endoftext|>") are dropped: they would
   * move the place that the pooled embedding is read from.
   */
  words(text: string): number[] {
    const clean = text.toWellFormed().normalize("NFC").trim();
    if (clean === "") return [];
    const { ids } = this.#tokenizer.encode(clean, { add_special_tokens: false });
    return ids.filter((id) => id !== this.bosId && id !== this.eosId);
  }
}

/** `tokenizer.json`, or the same made from `vocab.json` and `merges.txt`. */
async function readTokenizer(folder: string, special: { bos: string; eos: string }): Promise<object> {
  const path = join(folder, "tokenizer.json");
  const merges = await readSmall(join(folder, "merges.txt")).then(
    (bytes) => new TextDecoder().decode(bytes),
    () => undefined,
  );
  const whole = await stat(path).catch(() => undefined);
  if (whole || merges === undefined) return readJson(path, TokenizerFile);
  return clipTokenizerJson(await readJson(join(folder, "vocab.json"), Vocabulary), merges, special);
}

/** The library takes what it reads for granted; what it stumbles over is a damaged file. */
function construct(folder: string, tokenizerJson: object, config: object): Tokenizer {
  try {
    const tokenizer = new Tokenizer(tokenizerJson, config);
    tokenizer.encode("a first word", { add_special_tokens: false });
    return tokenizer;
  } catch (error) {
    throw new TokenizerError(`${folder}: not a tokenizer that can be used: ${messageOf(error)}`);
  }
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  let json: unknown;
  try {
    const bytes = await readSmall(path);
    scanJson(bytes, LIMITS);
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new TokenizerError(`${path}: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join(".").slice(0, 80) || "(root)"}: ${issue.message}`);
  throw new TokenizerError(`${path}: ${problems.join("; ")}`);
}

async function readSmall(path: string): Promise<Uint8Array> {
  const { size } = await stat(path);
  if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes; a CLIP tokenizer has at most ${MAX_FILE_BYTES}`);
  return readFile(path);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
