import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type CharacterManifest, PackManifest } from "@cartoon/protos";

/** Everything that is wrong with a pack, at once. */
export class PackError extends Error {
  override readonly name = "PackError";
  readonly problems: readonly string[];

  constructor(folder: string, problems: readonly string[]) {
    super(`model pack ${folder}: ${problems.join("; ")}`);
    this.problems = problems;
  }
}

/** A model pack whose manifest is sound and whose parts are there. */
export interface Pack {
  readonly folder: string;
  readonly manifest: PackManifest;
  /** Absolute path of a component's folder or file. @throws PackError when the pack has none of that name */
  component(name: string): string;
  has(name: string): boolean;
  character(name: string): CharacterManifest | undefined;
}

const PICTURE_PARTS = ["unet", "motion_adapter", "vae", "text_encoder", "tokenizer", "scheduler"];
const SDXL_PARTS = ["text_encoder_2", "tokenizer_2"];
const VOICE_PARTS = ["dia", "dac"];

/**
 * Opens a pack folder.
 * @param options.verify also compares every listed file's SHA-256, which reads the whole pack
 * @throws PackError listing every problem
 */
export async function loadPack(folder: string, options: { verify?: boolean } = {}): Promise<Pack> {
  const manifest = await readManifest(folder);
  const problems = [...missingComponents(manifest), ...doubleNames(manifest)];
  problems.push(...(await missingFiles(folder, manifest)));
  problems.push(...(await wrongFiles(folder, manifest, options.verify ?? false)));
  if (problems.length > 0) throw new PackError(folder, problems);
  return {
    folder,
    manifest,
    component: (name) => {
      const path = manifest.components[name];
      if (path === undefined) throw new PackError(folder, [`no component "${name}"`]);
      return join(folder, path);
    },
    has: (name) => manifest.components[name] !== undefined,
    character: (name) => manifest.characters.find((character) => character.name === name),
  };
}

async function readManifest(folder: string): Promise<PackManifest> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(join(folder, "pack.json"), "utf8"));
  } catch (error) {
    throw new PackError(folder, [`pack.json: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const parsed = PackManifest.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new PackError(
    folder,
    parsed.error.issues.map((issue) => `pack.json: ${issue.path.join(".") || "(root)"}: ${issue.message}`),
  );
}

function missingComponents(manifest: PackManifest): string[] {
  const wanted = [
    ...(manifest.picture ? PICTURE_PARTS : []),
    ...(manifest.picture?.family === "sdxl" ? SDXL_PARTS : []),
    ...(manifest.voice ? VOICE_PARTS : []),
  ];
  const missing = wanted.filter((name) => manifest.components[name] === undefined);
  if (!manifest.picture && !manifest.voice) return ["pack.json: neither a picture nor a voice section"];
  return missing.map((name) => `pack.json: components.${name} is missing`);
}

function doubleNames({ characters }: PackManifest): string[] {
  const names = characters.map((character) => character.name);
  const doubles = new Set(names.filter((name, i) => names.indexOf(name) !== i));
  return [...doubles].map((name) => `pack.json: two characters are called "${name}"`);
}

async function missingFiles(folder: string, manifest: PackManifest): Promise<string[]> {
  const wanted = new Map(
    Object.entries(manifest.components).map(([name, path]) => [`components.${name}`, path]),
  );
  for (const { name, lora, voice } of manifest.characters) {
    if (lora !== undefined) wanted.set(`characters.${name}.lora`, lora);
    if (voice.audio !== undefined) wanted.set(`characters.${name}.voice.audio`, voice.audio);
  }
  const checks = [...wanted].map(async ([field, path]) => {
    const found = await stat(join(folder, path)).catch(() => undefined);
    return found ? [] : [`${field}: ${path} is not there`];
  });
  return (await Promise.all(checks)).flat();
}

async function wrongFiles(folder: string, manifest: PackManifest, verify: boolean): Promise<string[]> {
  const problems: string[] = [];
  for (const [path, { sha256, bytes }] of Object.entries(manifest.files)) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (!found) problems.push(`files: ${path} is not there`);
    else if (found.size !== bytes) problems.push(`files: ${path} has ${found.size} bytes, expected ${bytes}`);
    else if (verify && (await fileHash(join(folder, path))) !== sha256)
      problems.push(`files: ${path} has another SHA-256`);
  }
  return problems;
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
