import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import goldens from "../../../test-fixtures/pipeline/single-file.json";
import { safetensors } from "../../pipelines/animatediff/testing/tiny-pack.ts";
import { Mt19937 } from "../../random/index.ts";
import { readSafetensorsHeader } from "../../weights/safetensors.ts";
import { readFloat32 } from "../../weights/weight-set.ts";
import { checkpointFamily, checkpointWeights } from "./index.ts";
import { clipKey, openClipKey } from "./text-keys.ts";
import { unetKey } from "./unet-keys.ts";
import { vaeKey } from "./vae-keys.ts";

type Pairs = [string, number, string][];
const pairsOf = (name: keyof typeof goldens) => goldens[name].pairs as Pairs;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-single-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("names agree with diffusers' converters", () => {
  test.each(["unet-sdxl", "unet-sd15"] as const)("%s", (name) => {
    for (const [from, , to] of pairsOf(name)) expect(unetKey(from, 2)).toBe(to);
  });
  test("vae", () => {
    for (const [from, , to] of pairsOf("vae")) expect(vaeKey(from, 4)).toBe(to);
  });
  test.each(["text_encoder-sdxl", "text_encoder-sd15"] as const)("%s", (name) => {
    for (const [from, , to] of pairsOf(name)) expect(clipKey(from)).toBe(to);
  });
  test("OpenCLIP", () => {
    for (const [from, part, to] of pairsOf("text_encoder_2")) {
      const target = openClipKey(from);
      expect(target?.kind === "thirds" ? target.names[part] : target?.name).toBe(to);
    }
  });
  test("any other name belongs to no model", () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        const found = [unetKey(key, 2), vaeKey(key, 4), clipKey(key), openClipKey(key)];
        expect(found.every((name) => name === undefined)).toBe(true);
      }),
    );
  });
});

test("packed attention becomes three views, the projection is turned round, the family is seen", async () => {
  const random = new Mt19937(1);
  const shapes: Record<string, number[]> = {
    ...goldens.text_encoder_2.shapes,
    "model.diffusion_model.input_blocks.0.0.weight": [2, 4],
  };
  const tensors = new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: random.randn(shape.reduce((a, b) => a * b, 1)) },
    ]),
  );
  const path = join(folder, "model.safetensors");
  await writeFile(path, safetensors(tensors));
  expect(checkpointFamily(await readSafetensorsHeader(path))).toBe("sdxl");
  const weights = await checkpointWeights(path, "text_encoder_2", { cacheDir: join(folder, "cache") });
  expect(weights.keys().sort()).toEqual(
    pairsOf("text_encoder_2")
      .map(([, , to]) => to)
      .sort(),
  );
  const packed =
    tensors.get("conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight")?.data ?? [];
  const k = await readFloat32(weights.get("text_model.encoder.layers.0.self_attn.k_proj.weight"));
  expect([...k]).toEqual([...packed].slice(64, 128));
  const projection = tensors.get("conditioner.embedders.1.model.text_projection")?.data ?? [];
  const turned = await readFloat32(weights.get("text_projection.weight"));
  expect(turned[1]).toBe(projection[8] ?? Number.NaN);
  await expect(checkpointWeights(path, "vae", { cacheDir: folder })).rejects.toThrow(/no vae/);
});
