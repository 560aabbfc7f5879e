import type { CharacterManifest, PackManifest, Warning } from "@cartoon/protos";
import { type AdapterFiles, type LoraAdapter, LoraError } from "../../lora/index.ts";
import { SafetensorsError } from "../../weights/safetensors.ts";
import type { CharacterAdapter } from "./predict.ts";

/** A LoRA file that came with a request. */
export interface CastLora {
  /** The field of the request that it comes from. */
  field: string;
  /** The character that it belongs to; absent for one that acts on the whole clip. */
  character?: string;
  file: string;
  sha256: string;
  /** Where it belongs to no character. */
  weight: number;
}

/** Characters and LoRAs that a clip has beside those of its pack. */
export interface ClipCast {
  characters: readonly CharacterManifest[];
  loras: readonly CastLora[];
  /** Convolutions are among their layers: the UNet needs the larger graph. */
  convolutions: boolean;
  /** The models are not those that were asked for: LoRAs that don't fit them are left out, with a warning. */
  lenient?: boolean;
}

/** The LoRAs of a cast, in memory. */
export interface LoadedCast {
  byCharacter: ReadonlyMap<string, LoraAdapter>;
  /** Those that act on the whole clip. */
  extra: readonly CharacterAdapter[];
  warnings: Warning[];
}

/** A pack's manifest with the cast's characters after its own. */
export function manifestWith(manifest: PackManifest, cast: ClipCast | undefined): PackManifest {
  if (!cast || cast.characters.length === 0) return manifest;
  return { ...manifest, characters: [...manifest.characters, ...cast.characters] };
}

/**
 * Loads the LoRAs of a cast and tells of tensors that fit nothing.
 * @throws LoraError, SafetensorsError naming the field
 */
export async function loadCast(files: AdapterFiles, cast: ClipCast | undefined): Promise<LoadedCast> {
  const byCharacter = new Map<string, LoraAdapter>();
  const extra: CharacterAdapter[] = [];
  const warnings: Warning[] = [];
  for (const { field, character, file, sha256, weight } of cast?.loras ?? []) {
    let adapter: LoraAdapter;
    try {
      adapter = await files.get({ file, sha256, name: field });
    } catch (error) {
      const isUnfit = error instanceof LoraError || error instanceof SafetensorsError;
      if (!isUnfit || !cast?.lenient) throw error;
      warnings.push({ field, given: `a LoRA (${sha256.slice(0, 12)})`, used: "", rule: error.message });
      continue;
    }
    warnings.push(...strays(field, adapter));
    if (character === undefined) extra.push({ name: field, adapter, weight });
    else byCharacter.set(character, adapter);
  }
  return { byCharacter, extra, warnings };
}

function strays(field: string, { unmatched, layers }: LoraAdapter): Warning[] {
  if (unmatched.length === 0) return [];
  const used = [...layers].reduce((sum, [, matched]) => sum + matched.size, 0);
  const some = `${unmatched.slice(0, 3).join(", ")}${unmatched.length > 3 ? ", …" : ""}`;
  const rule = `${unmatched.length} of its tensors fit nothing in this model (${some})`;
  return [{ field, given: `${used} layers and ${unmatched.length} tensors`, used: `${used} layers`, rule }];
}
