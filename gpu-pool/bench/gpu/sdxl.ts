import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildVaeDecoder, buildVaeEncoder } from "../../src/graphs/autoencoder-kl.ts";
import type { LoraTarget, OnnxModel } from "../../src/graphs/builder/index.ts";
import { buildClipText } from "../../src/graphs/clip-text.ts";
import { clipTextConfig } from "../../src/graphs/config/clip.ts";
import { motionAdapterConfig, unetConfig, unetMotionShape } from "../../src/graphs/config/unet.ts";
import { autoencoderConfig } from "../../src/graphs/config/vae.ts";
import { type CudaOptions, cudaTarget } from "../../src/graphs/target/cuda.ts";
import { buildUnetMotion } from "../../src/graphs/unet-motion.ts";
import { planUnet } from "../../src/graphs/unet-plan.ts";
import {
  createSession,
  type Feeds,
  float32,
  floatOutput,
  int64,
  type Session,
} from "../../src/onnx/session.ts";
import { openWeights } from "../../src/weights/weight-set.ts";

/**
 * Times the CUDA graphs of full-size SDXL + AnimateDiff and compares them with diffusers, over the folder
 * that reference.py wrote. Usage: bun bench/gpu/sdxl.ts FOLDER [--repeats 6] [--only unet,lora,…]
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { repeats: { type: "string", default: "6" }, only: { type: "string" } },
});
const [folder = "."] = positionals;
const repeats = Number(values.repeats);
const wanted = (part: string) => !values.only || values.only.split(",").includes(part);
const json = async (path: string) => JSON.parse(await readFile(join(folder, path), "utf8"));
const binary = async (name: string) => {
  const bytes = await readFile(join(folder, "reference", `${name}.bin`));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
};
const weights = (...names: string[]) => openWeights(names.map((name) => join(folder, `${name}.safetensors`)));
const sizes = (await json("reference/sizes.json")) as { frames: number; size: number };
const cache = await mkdtemp(join(folder, ".cache-"));

async function open(label: string, build: () => OnnxModel): Promise<Session> {
  const start = performance.now();
  const model = build();
  const built = performance.now();
  const session = await createSession(model, cache, { provider: "cuda" });
  const created = performance.now();
  const kib = (model.bytes.length / 1024).toFixed(0);
  console.log(
    `${label}: graph ${(built - start).toFixed(0)} ms (${kib} KiB), session ${(created - built).toFixed(0)} ms`,
  );
  return session;
}

/** Relative L2 distance. */
function distance(got: Float32Array, reference: Float32Array): number {
  let error = 0;
  let norm = 0;
  for (let i = 0; i < reference.length; i++) {
    error += ((got[i] ?? Number.NaN) - (reference[i] ?? 0)) ** 2;
    norm += (reference[i] ?? 0) ** 2;
  }
  return Math.sqrt(error / norm);
}

async function measure(
  label: string,
  session: Session,
  feeds: Feeds,
  output: string,
  reference?: Float32Array,
) {
  const times: number[] = [];
  const hashes = new Set<string>();
  let result = new Float32Array(0);
  for (let i = 0; i < repeats + 2; i++) {
    const start = performance.now();
    result = floatOutput(await session.run(feeds), output) as Float32Array<ArrayBuffer>;
    times.push(performance.now() - start);
    hashes.add(createHash("sha1").update(new Uint8Array(result.buffer)).digest("hex"));
  }
  const sorted = times.slice(2).sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1]?.toFixed(1);
  const agrees = reference ? `, L2 from torch fp16 ${distance(result, reference).toExponential(2)}` : "";
  const first = times[0]?.toFixed(0);
  const bits = `${hashes.size} different outputs of ${times.length}`;
  console.log(
    `${label}: first ${first}, min ${sorted[0]?.toFixed(1)}, median ${median} ms${agrees}; ${bits}`,
  );
}

function loraFeeds(targets: readonly LoraTarget[], rank: number): Feeds {
  const random = (shape: number[]) =>
    float32(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (Math.random() - 0.5) * 0.02),
      shape,
    );
  const feeds: Record<string, ReturnType<typeof float32>> = {};
  for (const { path, in: width, out } of targets) {
    feeds[`lora.${path}.A`] = random([rank, width]);
    feeds[`lora.${path}.B`] = random([out, rank]);
  }
  return feeds;
}

async function unets(): Promise<void> {
  const shape = unetMotionShape(
    unetConfig.parse(await json("unet/config.json")),
    motionAdapterConfig.parse(await json("motion_adapter/config.json")),
  );
  const tensors = await weights("unet/diffusion_pytorch_model", "motion_adapter/diffusion_pytorch_model");
  const { frames, size } = sizes;
  const fixed = { batch: 2, frames, height: size, width: size, tokens: 77 };
  const symbolic = { batch: "B", frames, height: "H", width: "W", tokens: "S" };
  const feeds: Feeds = {
    sample: float32(await binary("sample"), [2, 4, frames, size, size]),
    timestep: float32(Float32Array.of(501), []),
    encoder_hidden_states: float32(await binary("text"), [2, 77, 2048]),
    text_embeds: float32(await binary("pooled"), [2, 1280]),
    time_ids: float32(await binary("ids"), [2, 6]),
  };
  const reference = await binary("unet");
  const plan = planUnet(shape, fixed);
  const variants: [string, string, CudaOptions, boolean, boolean][] = [
    ["unet", "unet, symbolic sizes", plan, false, false],
    ["chunked", "unet, symbolic sizes, 4 feed-forward chunks", planUnet(shape, fixed, 4), false, false],
    ["lora", "unet with LoRA inputs", plan, true, false],
    ["deterministic", "unet, deterministic", { ...plan, deterministic: true }, false, true],
  ];
  for (const [part, label, options, lora, isFixed] of variants) {
    if (!wanted(part)) continue;
    let targets: readonly LoraTarget[] = [];
    const session = await open(label, () => {
      const target = cudaTarget(options);
      const model = buildUnetMotion({
        shape,
        weights: tensors,
        target,
        lora,
        sizes: isFixed ? fixed : symbolic,
      });
      targets = model.loraTargets;
      return model;
    });
    for (const rank of lora ? [0, 32] : [0]) {
      const adapters = lora ? loraFeeds(targets, rank) : {};
      const name = lora ? `${label}, rank ${rank}` : label;
      await measure(name, session, { ...feeds, ...adapters }, "out_sample", rank ? undefined : reference);
    }
    await session.release();
  }
}

async function vae(): Promise<void> {
  const config = autoencoderConfig.parse(await json("vae/config.json"));
  const options = { config, weights: await weights("vae/diffusion_pytorch_model"), target: cudaTarget() };
  const { size } = sizes;
  const decoder = await open("vae decoder", () => buildVaeDecoder(options));
  const latents = float32(await binary("latents"), [1, 4, size, size]);
  await measure("vae decode 1 frame", decoder, { latent_sample: latents }, "sample", await binary("vae"));
  await decoder.release();
  const encoder = await open("vae encoder", () => buildVaeEncoder(options));
  const image = float32(await binary("image"), [1, 3, 8 * size, 8 * size]);
  await measure("vae encode 1 image", encoder, { sample: image }, "latent_mean", await binary("vae_mean"));
  await encoder.release();
}

async function clip(): Promise<void> {
  const config = clipTextConfig.parse(await json("text_encoder_2/config.json"));
  const options = {
    config,
    weights: await weights("text_encoder_2/model"),
    target: cudaTarget(),
    lora: false,
  };
  const session = await open("bigG text encoder", () => buildClipText(options));
  const feeds = { input_ids: int64(await binary("tokens"), [2, 77]) };
  await measure("bigG text_embeds", session, feeds, "text_embeds", await binary("text_embeds"));
  const penultimate = `hidden_states.${config.num_hidden_layers - 1}`;
  await measure("bigG penultimate", session, feeds, penultimate, await binary("penultimate"));
  await session.release();
}

try {
  if (wanted("clip")) await clip();
  if (wanted("vae")) await vae();
  await unets();
} finally {
  await rm(cache, { recursive: true, force: true });
}
