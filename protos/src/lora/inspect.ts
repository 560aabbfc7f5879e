import { COMPONENTS, type LoraComponent, parseLoraKey } from "./keys.ts";
import { HeaderProblem, parseSafetensorsHeader } from "./safetensors-header.ts";

/** A file that is no LoRA that we apply, in words for its owner. */
export class LoraFileError extends Error {
  override readonly name = "LoraFileError";
}

export interface LoraSummary {
  /** Who wrote it, as far as its names tell. */
  format: "kohya" | "peft" | "diffusers";
  tensors: number;
  /** Layers with both matrices, per model. */
  layers: Partial<Record<LoraComponent, number>>;
  /** Largest rank. */
  rank: number;
  /** Convolutions or time projections of the UNet are among its layers (LoCon). */
  convolutions: boolean;
  /** Tensors whose names are no LoRA's. */
  unknown: number;
}

/** More than any LoRA has; a header that is larger is a bomb. */
export const MAX_LORA_HEADER_BYTES = 8 * 1024 * 1024;
const MAX_TENSORS = 20_000;
const MAX_RANK = 1024;
const RESNET_PARTS = /resnets|time_emb_proj|emb_layers|in_layers|out_layers|skip_connection/;

const shown = (keys: readonly string[]) =>
  `${keys
    .slice(0, 3)
    .map((key) => key.slice(0, 80))
    .join(", ")}${keys.length > 3 ? ", …" : ""}`;

/**
 * Looks at the header of a LoRA file without a model at hand: is it one, of which kind, does it hold what it says.
 * Whether it fits a model shows where the model is.
 * @param header the JSON after the first 8 bytes
 * @throws LoraFileError
 */
export function inspectLora(header: Uint8Array, fileSize: number): LoraSummary {
  const { entries } = parsed(header, fileSize);
  if (entries.length === 0) throw new LoraFileError("the file holds no tensors");
  if (entries.length > MAX_TENSORS)
    throw new LoraFileError(`${entries.length} tensors; a LoRA has at most ${MAX_TENSORS}`);
  const pairs = new Map<string, { component: LoraComponent; a?: boolean; b?: boolean }>();
  const refused: string[] = [];
  let unknown = 0;
  let rank = 0;
  let convolutions = false;
  for (const { key, shape, dtype } of entries) {
    const name = parseLoraKey(key);
    if (!name) unknown++;
    else if (name.part === "unsupported" || name.part === "dora") refused.push(key);
    else if (name.part === "A" || name.part === "B") {
      if (!/^(F|BF)/.test(dtype)) throw new LoraFileError(`${key.slice(0, 80)} holds ${dtype}, not numbers`);
      const at = `${name.component}/${name.module}`;
      const pair = pairs.get(at) ?? { component: name.component };
      pairs.set(at, { ...pair, [name.part === "A" ? "a" : "b"]: true });
      if (name.part === "A") rank = Math.max(rank, shape[0] ?? 0);
      const isLoCon = shape.slice(2).some((size) => size > 1) || RESNET_PARTS.test(name.module);
      convolutions ||= name.component === "unet" && isLoCon;
    }
  }
  if (refused.length > 0)
    throw new LoraFileError(
      `LoHa, LoKr, DoRA, OFT and full-difference files are not supported (${shown(refused)})`,
    );
  if (rank > MAX_RANK) throw new LoraFileError(`rank ${rank}; at most ${MAX_RANK} is allowed`);
  const whole = [...pairs.values()].filter(({ a, b }) => a && b);
  if (whole.length === 0)
    throw new LoraFileError(
      `none of its ${entries.length} tensors is a LoRA's (${shown(entries.map(({ key }) => key))})`,
    );
  const layers = Object.fromEntries(
    COMPONENTS.map(
      (name) => [name, whole.filter(({ component }) => component === name).length] as const,
    ).filter(([, count]) => count > 0),
  );
  return { format: formatOf(entries), tensors: entries.length, layers, rank, convolutions, unknown };
}

function parsed(header: Uint8Array, fileSize: number) {
  try {
    return parseSafetensorsHeader(header, fileSize);
  } catch (error) {
    if (error instanceof HeaderProblem)
      throw new LoraFileError(`not a valid safetensors file: ${error.message}`);
    throw error;
  }
}

function formatOf(entries: readonly { key: string }[]): LoraSummary["format"] {
  if (entries.some(({ key }) => key.includes("lora_down") || key.startsWith("lora_"))) return "kohya";
  return entries.some(({ key }) => /\.lora_[AB]\./.test(key)) ? "peft" : "diffusers";
}
