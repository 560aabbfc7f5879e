import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Warning } from "@cartoon/protos";
import { Mt19937 } from "../../random/index.ts";
import { decodeFrames } from "./decode.ts";
import { loadVae } from "./load-vae.ts";
import { writeTinyPack } from "./testing/tiny-pack.ts";

setDefaultTimeout(60_000);

let folder: string;
let vae: Awaited<ReturnType<typeof loadVae>>;
beforeAll(async () => {
  folder = await writeTinyPack();
  vae = await loadVae(join(folder, "vae"), { cacheDir: join(folder, "cache"), device: "cpu", threads: 1 });
});
afterAll(async () => {
  await vae.close();
  await rm(folder, { recursive: true, force: true });
});

test("frames that half precision spoils are decoded again in float32, each with a warning; the others stay", async () => {
  const shape = { channels: 4, frames: 4, height: 2, width: 2 };
  const latents = new Mt19937(3).randn(4 * 4 * 2 * 2);
  const frames = [0, 1, 2, 3];
  const sound = await decodeFrames(vae, latents, shape, frames, []);
  /** What overflow leaves behind: not a number in one frame, one colour all over in another. */
  const spoiled: typeof vae = {
    ...vae,
    decode: async (...args) => {
      const { rgb, mean, spread } = await vae.decode(...args);
      const size = rgb.length / 4;
      return {
        rgb: rgb.map((value, i) => (Math.floor(i / size) % 2 === 1 ? 77 : value)),
        mean: mean.map((value, i) => (i === 1 ? Number.NaN : value)),
        spread: spread.map((value, i) => (i === 3 ? 0 : value)),
      };
    },
  };
  const warnings: Warning[] = [];
  const mended = await decodeFrames(spoiled, latents, shape, frames, warnings);
  expect(mended).toEqual(sound);
  expect(warnings.map(({ given, used }) => [given, used])).toEqual([
    ["frame 1", "float32"],
    ["frame 3", "float32"],
  ]);
  const hopeless: typeof vae = {
    ...vae,
    decode: spoiled.decode,
    decodeExact: async (...args) => ({
      ...(await vae.decodeExact(...args)),
      mean: Float32Array.of(Number.NaN),
    }),
  };
  await expect(decodeFrames(hopeless, latents, shape, frames, [])).rejects.toThrow(
    "frame 1 is not finite, even in float32",
  );
});

test("graphs of one size each decode the same frames, and change with the size", async () => {
  const options = { cacheDir: join(folder, "cache"), device: "cpu", threads: 1, fixedSizes: true } as const;
  const sized = await loadVae(join(folder, "vae"), options);
  for (const [height, width] of [
    [2, 2],
    [2, 3],
    [2, 2],
  ] as const) {
    const shape = { channels: 4, frames: 3, height, width };
    const latents = new Mt19937(5).randn(4 * 3 * height * width);
    const warnings: Warning[] = [];
    const frames = await decodeFrames(sized, latents, shape, [0, 1, 2], warnings);
    expect(frames).toEqual(await decodeFrames(vae, latents, shape, [0, 1, 2], []));
    expect(warnings).toEqual([]);
  }
  await sized.close();
});
