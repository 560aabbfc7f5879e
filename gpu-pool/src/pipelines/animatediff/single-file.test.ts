import { expect, setDefaultTimeout, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import goldens from "../../../test-fixtures/pipeline/single-file.json";
import { loadPack } from "../../packs/index.ts";
import { openClipKey } from "../../packs/single-file/text-keys.ts";
import { loadAnimateDiff } from "./index.ts";
import { drawTensors, type Recipe, readFixture, safetensors, writeTinyPack } from "./testing/tiny-pack.ts";

setDefaultTimeout(60_000);

type Tensors = Map<string, { shape: number[]; data: Float32Array }>;

const CLIP_PREFIX = "conditioner.embedders.0.transformer.text_model.";
const OPEN_CLIP_PREFIX = "conditioner.embedders.1.model.";

test("a pack over a single-file checkpoint draws the same clip as one of separate models", async () => {
  const folder = await writeTinyPack();
  const generate = async () => {
    const options = { cacheDir: join(folder, "cache"), device: "cpu", threads: 1 } as const;
    const pipeline = await loadAnimateDiff(await loadPack(folder), options);
    const result = await pipeline.generate({
      prompt: "temo and felfel",
      negative_prompt: "",
      seed: 3,
      num_inference_steps: 3,
    });
    await pipeline.close();
    return result.frames;
  };
  const separate = await generate();
  await writeFile(join(folder, "checkpoint.safetensors"), safetensors(await checkpoint()));
  for (const file of [
    "unet/diffusion_pytorch_model",
    "vae/diffusion_pytorch_model",
    "text_encoder/model",
    "text_encoder_2/model",
  ])
    await rm(join(folder, `${file}.safetensors`));
  const manifest = JSON.parse(await readFile(join(folder, "pack.json"), "utf8")) as {
    components: Record<string, string>;
  };
  manifest.components.checkpoint = "checkpoint.safetensors";
  await writeFile(join(folder, "pack.json"), JSON.stringify(manifest));
  expect(Buffer.compare(await generate(), separate)).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

/** The tiny pack's models under the names of an SDXL checkpoint. */
async function checkpoint(): Promise<Tensors> {
  const { weights } = await readFixture<{ weights: Record<string, Recipe> }>("sdxl.json");
  const draw = (name: string): Tensors => drawTensors(weights[name] ?? { seed: 0, tensors: [] });
  const all: Tensors = new Map();
  for (const [model, pairs] of [
    ["unet", goldens["tiny-unet"].pairs],
    ["vae", goldens["tiny-vae"].pairs],
  ] as [string, [string, number, string][]][]) {
    const tensors = draw(model);
    for (const [ldm, , own] of pairs)
      all.set(ldm, tensors.get(own) ?? { shape: [0], data: new Float32Array(0) });
  }
  for (const [name, tensor] of draw("text_encoder"))
    all.set(CLIP_PREFIX + name.replace(/^text_model\./, ""), tensor);
  addOpenClip(all, draw("text_encoder_2"));
  return all;
}

function addOpenClip(all: Tensors, tensors: Tensors): void {
  const shapes = goldens.text_encoder_2.shapes as Record<string, number[]>;
  const layerZero = Object.keys(shapes).filter((key) => !key.includes("resblocks.1."));
  for (const key of layerZero.flatMap((key) =>
    [0, 1, 2].map((layer) => key.replace("resblocks.0.", `resblocks.${layer}.`)),
  )) {
    const target = openClipKey(key);
    if (!target) continue;
    const parts = (target.kind === "thirds" ? target.names : [target.name]).map((name) => tensors.get(name));
    const first = parts[0];
    if (!first) throw new Error(`${OPEN_CLIP_PREFIX}: nothing for ${key}`);
    const data = Float32Array.from(parts.flatMap((part) => [...(part?.data ?? [])]));
    const [rows = 0, columns = 0] = first.shape;
    if (target.kind === "transposed") {
      const turned = data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
      all.set(key, { shape: [columns, rows], data: turned });
    } else all.set(key, { shape: [rows * parts.length, ...first.shape.slice(1)], data });
  }
}
