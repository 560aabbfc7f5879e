import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Mt19937 } from "../../../random/index.ts";

const FIXTURE = join(import.meta.dir, "../../../../test-fixtures/pipeline");

/** Name, shape, mean and standard deviation of a tensor drawn from one seeded generator. */
export type TensorRecipe = [string, number[], number, number];

export interface Recipe {
  seed: number;
  tensors: TensorRecipe[];
}

interface ModelFixture {
  configs: Record<string, Record<string, unknown>>;
  weights: Record<string, Recipe>;
  loras: Record<string, Recipe & { metadata: Record<string, unknown> }>;
}

export const SCALED = { beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 };
const EULER = {
  _class_name: "EulerDiscreteScheduler",
  ...SCALED,
  timestep_spacing: "leading",
  steps_offset: 1,
};

export async function readFixture<T>(name: string): Promise<T> {
  return (await Bun.file(join(FIXTURE, name)).json()) as T;
}

/** Writes the tiny pack of the golden runs into a fresh folder. */
export async function writeTinyPack(
  family: "sdxl" | "sd15" = "sdxl",
  characters = ["temo", "felfel"],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cartoon-tiny-pack-"));
  const model = await readFixture<ModelFixture>(`${family}.json`);
  for (const [name, config] of Object.entries(model.configs)) {
    const file = name.startsWith("text") ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
    await write(join(folder, name, "config.json"), JSON.stringify(config));
    await writeRecipe(join(folder, name, file), model.weights[name]);
  }
  for (const [name, lora] of Object.entries(model.loras)) {
    const metadata = { lora_adapter_metadata: JSON.stringify(lora.metadata) };
    await writeRecipe(join(folder, "loras", `${name}.safetensors`), lora, metadata);
  }
  for (const name of family === "sdxl" ? ["tokenizer", "tokenizer_2"] : ["tokenizer"])
    await cp(join(FIXTURE, "tokenizer"), join(folder, name), { recursive: true });
  await writeScheduler(folder, EULER);
  await write(join(folder, "pack.json"), JSON.stringify(manifest(family, characters)));
  return folder;
}

export async function writeScheduler(folder: string, config: object): Promise<void> {
  await write(join(folder, "scheduler/scheduler_config.json"), JSON.stringify(config));
}

function manifest(family: "sdxl" | "sd15", characters: string[]) {
  const second = family === "sdxl" ? ["text_encoder_2", "tokenizer_2"] : [];
  const parts = ["unet", "motion_adapter", "vae", "text_encoder", "tokenizer", "scheduler", ...second];
  return {
    format: 1,
    name: "tiny",
    version: "1.0.0",
    components: Object.fromEntries(parts.map((part) => [part, part])),
    picture: {
      family,
      native: { width: 16, height: 16 },
      sizes: [[16, 16]],
      multiple_of: 8,
      frames: { min: 1, max: 64, default: 8, window: 8, overlap: 2 },
      fps: { default: 8 },
      steps: { default: 8, max: 50 },
      guidance_scale: { default: 5 },
      scheduler_preset: "toon",
      max_tokens: 24,
    },
    characters: characters.map((name, i) => ({
      name,
      label: name,
      lora: `loras/${name}.safetensors`,
      adapter: `${name}_adapter`,
      triggers: [name],
      speaker: `S${i + 1}`,
      voice: {},
    })),
  };
}

/** Draws every tensor of a recipe, in order. */
export function drawTensors({ seed, tensors }: Recipe): Map<string, { shape: number[]; data: Float32Array }> {
  const random = new Mt19937(seed);
  return new Map(
    tensors.map(([name, shape, mean, std]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: random.randn(count).map((value) => value * std + mean) }];
    }),
  );
}

async function writeRecipe(
  path: string,
  recipe: Recipe | undefined,
  metadata?: Record<string, string>,
): Promise<void> {
  if (!recipe) throw new Error(`no recipe for ${path}`);
  await write(path, safetensors(drawTensors(recipe), metadata));
}

/** A float32 safetensors file. */
export function safetensors(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let at = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const parts = [...tensors.values()].map(({ data }) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  );
  return Buffer.concat([length, json, ...parts]);
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
