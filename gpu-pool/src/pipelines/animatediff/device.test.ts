import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { buildVaeDecoder } from "../../graphs/autoencoder-kl.ts";
import { autoencoderConfig } from "../../graphs/config/vae.ts";
import { nativeParts, needsFixedSizes, targetOf } from "./device.ts";
import { modelWeights, readConfig } from "./model-folder.ts";

const VAE = fileURLToPath(new URL("../../../packs/toon/vae", import.meta.url));

/** The decoder's graph for a GPU. */
async function graph(deterministic: boolean): Promise<string> {
  const options = { cacheDir: tmpdir(), device: "cuda", deterministic } as const;
  const config = await readConfig(VAE, autoencoderConfig);
  const weights = await modelWeights(VAE, "vae", options);
  const sizes = { batch: 1, height: 8, width: 8 };
  return String(Bun.hash(buildVaeDecoder({ config, weights, target: targetOf(options), sizes }).bytes));
}

test("deterministic reaches the graphs of a GPU; stand-ins for its norm are built for one size", async () => {
  expect(await graph(true)).not.toBe(await graph(false));
  expect(await graph(true)).toBe(await graph(true));
  const gpu = { cacheDir: "", device: "cuda" } as const;
  expect(needsFixedSizes(gpu)).toBe(false);
  expect(needsFixedSizes({ ...gpu, deterministic: true })).toBe(!nativeParts().includes("groupNorm"));
  expect(needsFixedSizes({ cacheDir: "", device: "cpu", deterministic: true })).toBe(false);
});
