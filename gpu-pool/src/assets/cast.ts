import { open } from "node:fs/promises";
import { join } from "node:path";
import type { CharacterManifest, PackManifest, RegisteredCharacter, RenderSpec } from "@cartoon/protos";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import { inspectLora, LoraFileError, MAX_LORA_HEADER_BYTES } from "@cartoon/protos/lora/inspect";
import { HeaderProblem, headerLength, LENGTH_BYTES } from "@cartoon/protos/lora/safetensors-header";
import { AssetError, type AssetFetcher } from "./fetch.ts";

/** A LoRA file of one render, in the render's folder. */
export interface LoraFile {
  /** For messages: the field of the request that it comes from. */
  field: string;
  /** The registered character that it belongs to; absent for one that acts on the whole clip. */
  character?: string;
  file: string;
  sha256: string;
  /** LoRA weight where it belongs to no character. */
  weight: number;
}

/** A reference clip of one render, in whatever format it came. */
export interface VoiceFile {
  character: string;
  file: string;
  transcript: string;
}

export interface Cast {
  loras: LoraFile[];
  /** Convolutions are among their layers. */
  convolutions: boolean;
  voices: VoiceFile[];
}

/** A registered character in the form of `pack.json`. */
export const asManifest = ({
  name,
  label,
  triggers,
  speaker,
  weight,
  voice_seed,
}: RegisteredCharacter): CharacterManifest => ({
  ...{ name, label, triggers, speaker, weight },
  pair_weight: weight / 2,
  voice: voice_seed === undefined ? {} : { seed: voice_seed },
  suggestions: [],
});

/** A pack with the registered characters of a render after its own; names of its own win. */
export function withRegistered(manifest: PackManifest, spec: RenderSpec): PackManifest {
  const more = strangers(manifest, spec).map(asManifest);
  return more.length === 0 ? manifest : { ...manifest, characters: [...manifest.characters, ...more] };
}

export function strangers({ characters }: PackManifest, spec: RenderSpec): RegisteredCharacter[] {
  const own = new Set(characters.map(({ name }) => name));
  return (spec.registered ?? []).filter(({ name }) => !own.has(name));
}

/**
 * Brings the files that a render needs into its folder: LoRAs of the registered characters that are drawn, LoRAs by
 * URL, reference clips of those that speak.
 * @throws AssetError naming the field
 */
export async function fetchCast(
  fetcher: AssetFetcher,
  input: {
    spec: RenderSpec;
    pack: PackManifest;
    request: RunRequest__Output;
    folder: string;
    /** The stores that the edge named, which may be private. */
    allowHosts: readonly string[];
    signal: AbortSignal;
  },
): Promise<Cast> {
  const { spec, pack, folder, signal } = input;
  const own = (sha256: string, field: string) =>
    named(field, async () => {
      const target = join(folder, sha256);
      const source = input.request.assets.find((asset) => asset.sha256 === sha256);
      const file = { sha256, url: source?.get_url, bytes: source?.bytes ?? 0 };
      await fetcher.registered(file, target, input.allowHosts, signal);
      return target;
    });
  const drawn = new Set(spec.clip?.characters.map(({ name }) => name));
  const characters = strangers(pack, spec);
  const loras: LoraFile[] = [];
  const voices: VoiceFile[] = [];
  for (const { name, lora_sha256: sha256, voice_sha256: voice, transcript, weight } of characters) {
    const field = `registered.${name}`;
    if (sha256 !== "" && drawn.has(name))
      loras.push({ field, character: name, file: await own(sha256, `${field}.lora`), sha256, weight });
    if (voice !== "" && spec.speech)
      voices.push({ character: name, file: await own(voice, `${field}.voice`), transcript });
  }
  for (const [i, { url, sha256 = "", weight }] of (spec.clip?.loras ?? []).entries()) {
    const field = `clip.loras.${i}`;
    const got = join(folder, `lora-${i}`);
    const hash = await named(`${field}.url`, () => fetcher.byUrl(url, sha256, got, signal));
    loras.push({ field, file: got, sha256: hash, weight });
  }
  let convolutions = false;
  for (const { field, file } of loras) convolutions = (await look(field, file)) || convolutions;
  return { loras, voices, convolutions };
}

/** Looks at a LoRA's header before a runner does. @returns whether it changes convolutions */
async function look(field: string, path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const read = async (offset: number, length: number) => {
      const buffer = new Uint8Array(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    const length = headerLength(await read(0, LENGTH_BYTES), size, MAX_LORA_HEADER_BYTES);
    return inspectLora(await read(LENGTH_BYTES, length), size).convolutions;
  } catch (error) {
    if (error instanceof HeaderProblem)
      throw new AssetError(`${field}: not a valid safetensors file: ${error.message}`);
    if (error instanceof LoraFileError) throw new AssetError(`${field}: ${error.message}`);
    throw error;
  } finally {
    await file.close();
  }
}

async function named<T>(field: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AssetError) throw new AssetError(`${field}: ${error.message}`, error.retryable);
    throw error;
  }
}
