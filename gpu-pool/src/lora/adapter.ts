import { COMPONENTS, type LoraComponent, parseLoraKey } from "@cartoon/protos/lora/keys";
import type { TensorEntry } from "../weights/safetensors.ts";
import { readSafetensorsHeader, type SafetensorsFile } from "../weights/safetensors.ts";
import { readFloat32 } from "../weights/weight-set.ts";
import { type PeftSettings, peftSettings } from "./peft-metadata.ts";
import { type LoraTargets, TargetIndex } from "./targets.ts";

/** One layer of an adapter: ΔW = scale · B·A for a weight [out, in], or a convolution's [out, in, k, k] as rows. */
export interface LoraLayer {
  /** [rank, in] row-major. */
  a: Float32Array;
  /** [out, rank] row-major. */
  b: Float32Array;
  rank: number;
  /** alpha / rank, or alpha / √rank for rank-stabilised adapters. */
  scale: number;
}

/** A LoRA in memory, matched to the modules that it changes. */
export interface LoraAdapter {
  name: string;
  /** Per model, by module path as the graph names it. */
  layers: ReadonlyMap<LoraComponent, ReadonlyMap<string, LoraLayer>>;
  /** Tensor names that no module of the model takes. */
  unmatched: readonly string[];
}

export class LoraError extends Error {
  override readonly name = "LoraError";
  constructor(name: string, problem: string) {
    super(`LoRA ${name}: ${problem}`);
  }
}

interface RawLayer {
  keys: string[];
  a?: TensorEntry;
  b?: TensorEntry;
  alpha?: TensorEntry;
  mid?: TensorEntry;
}

/**
 * Reads a LoRA file of any common format and matches it to the loaded graphs.
 * @param targets layers that take LoRA matrices, per model
 * @throws LoraError when the file is of an unsupported kind, nothing matches, or shapes do not fit the model
 */
export async function loadLora(
  path: string,
  options: { name: string; targets: LoraTargets; layersPerBlock: number },
): Promise<LoraAdapter> {
  const { name, targets, layersPerBlock } = options;
  const file = await readSafetensorsHeader(path);
  const { layers: raw, unmatched } = collect(name, file);
  const settings = peftSettings(file.metadata);
  const layers = new Map<LoraComponent, ReadonlyMap<string, LoraLayer>>();
  for (const component of COMPONENTS) {
    const index = new TargetIndex(component, targets[component] ?? [], layersPerBlock);
    const matched = new Map<string, LoraLayer>();
    for (const [module, layer] of raw.get(component) ?? []) {
      const target = index.find(module);
      if (!target || layer.mid) unmatched.push(...layer.keys);
      else matched.set(target.path, await readLayer(name, target, layer, settings[component]));
    }
    if (matched.size > 0) layers.set(component, matched);
  }
  if (layers.size === 0)
    throw new LoraError(
      name,
      `none of its ${file.tensors.size} tensors fits this model (${examples(unmatched)})`,
    );
  return { name, layers, unmatched };
}

/** Groups the tensors by module; SGM names give way when the file holds diffusers names too. */
function collect(name: string, file: SafetensorsFile) {
  const layers = new Map<LoraComponent, Map<string, RawLayer>>();
  const unmatched: string[] = [];
  const unsupported: string[] = [];
  for (const [key, entry] of file.tensors) {
    const parsed = parseLoraKey(key);
    if (!parsed) unmatched.push(key);
    else if (parsed.part === "dora" || parsed.part === "unsupported") unsupported.push(key);
    else {
      const modules = layers.get(parsed.component) ?? new Map<string, RawLayer>();
      layers.set(parsed.component, modules);
      const layer = modules.get(parsed.module) ?? { keys: [] };
      modules.set(parsed.module, layer);
      layer.keys.push(key);
      const slot = { A: "a", B: "b", alpha: "alpha", mid: "mid" } as const;
      const field = slot[parsed.part];
      if (layer[field])
        throw new LoraError(name, `two tensors for the same layer: ${layer[field].key} and ${key}`);
      layer[field] = entry;
    }
  }
  if (unsupported.length > 0)
    throw new LoraError(
      name,
      `LoHa, LoKr, DoRA, OFT and full-difference files are not supported (${examples(unsupported)})`,
    );
  return { layers, unmatched };
}

/** Features that A reads: `in` of a linear layer, `in · k · k` of a convolution, whose delta is B·A over such rows. */
function rowOf({ shape }: TensorEntry): number {
  return shape.slice(1).reduce((product, size) => product * size, 1);
}

/**
 * True when a file changes convolutions or time projections (LoCon), for which the UNet needs a graph of its own.
 */
export async function usesConvolutions(path: string): Promise<boolean> {
  const { tensors } = await readSafetensorsHeader(path);
  return [...tensors].some(([key, { shape }]) => {
    const parsed = parseLoraKey(key);
    if (parsed?.component !== "unet" || parsed.part !== "A") return false;
    return (
      shape.slice(2).some((size) => size > 1) ||
      /resnets|time_emb_proj|emb_layers|in_layers/.test(parsed.module)
    );
  });
}

async function readLayer(
  name: string,
  target: { path: string; in: number; out: number },
  layer: RawLayer,
  settings: PeftSettings,
): Promise<LoraLayer> {
  const { a, b } = layer;
  if (!a || !b)
    throw new LoraError(name, `${layer.keys.join(", ")} has no counterpart: A and B come in pairs`);
  const rank = a.shape[0] ?? 0;
  if (rowOf(a) !== target.in || b.shape[0] !== target.out || rowOf(b) !== rank || rank === 0) {
    const given = `A [${a.shape.join(", ")}], B [${b.shape.join(", ")}]`;
    throw new LoraError(
      name,
      `made for another model: ${target.path} takes A [r, ${target.in}], B [${target.out}, r]; the file has ${given}`,
    );
  }
  const own = layer.alpha ? await readAlpha(name, layer.alpha) : settings.alpha(target.path);
  const alpha = own === undefined || own === 0 ? rank : own;
  return {
    a: await readFinite(name, a),
    b: await readFinite(name, b),
    rank,
    scale: alpha / (settings.rankStabilised ? Math.sqrt(rank) : rank),
  };
}

async function readAlpha(name: string, entry: TensorEntry): Promise<number> {
  if (entry.shape.reduce((product, size) => product * size, 1) !== 1)
    throw new LoraError(name, `${entry.key} is not one number`);
  const [alpha = 0] = await readFinite(name, entry);
  return alpha;
}

async function readFinite(name: string, entry: TensorEntry): Promise<Float32Array> {
  if (!entry.dtype.startsWith("F") && entry.dtype !== "BF16")
    throw new LoraError(name, `${entry.key} holds ${entry.dtype}, expected floating-point numbers`);
  const values = await readFloat32(entry);
  if (!values.every(Number.isFinite))
    throw new LoraError(name, `${entry.key} holds numbers that are not finite`);
  return values;
}

function examples(keys: readonly string[]): string {
  return `${keys.slice(0, 3).join(", ")}${keys.length > 3 ? ", …" : ""}`;
}
