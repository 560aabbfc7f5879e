import { mkdtemp, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { buildVaeDecoder } from "../src/graphs/autoencoder-kl.ts";
import type { LoraTarget, OnnxModel } from "../src/graphs/builder/index.ts";
import { buildClipText } from "../src/graphs/clip-text.ts";
import { clipTextConfig } from "../src/graphs/config/clip.ts";
import { motionAdapterConfig, unetConfig, unetMotionShape } from "../src/graphs/config/unet.ts";
import { autoencoderConfig } from "../src/graphs/config/vae.ts";
import { cpuTarget } from "../src/graphs/target/cpu.ts";
import { buildUnetMotion } from "../src/graphs/unet-motion.ts";
import { createSession, type Feeds, float32, type Session } from "../src/onnx/session.ts";
import { openWeights } from "../src/weights/weight-set.ts";

/**
 * Times the picture graphs of a pack on the CPU: session creation, a denoise step with and without LoRA
 * inputs, and the decoding of a clip. Usage: bun bench/unet.ts [--pack DIR] [--frames 16] [--steps 5]
 */
const { values } = parseArgs({
  options: {
    pack: { type: "string", default: join(import.meta.dirname, "../packs/toon") },
    frames: { type: "string", default: "16" },
    size: { type: "string", default: "16" },
    steps: { type: "string", default: "5" },
    rank: { type: "string", default: "8" },
    threads: { type: "string", default: "2" },
    spin: { type: "boolean", default: false },
    profile: { type: "string" },
  },
});
const [frames, size, steps, rank] = [values.frames, values.size, values.steps, values.rank].map(Number) as [
  number,
  number,
  number,
  number,
];
const pack = values.pack;
const threads = {
  intraOpThreads: Number(values.threads),
  config: { "session.intra_op.allow_spinning": values.spin ? "1" : "0" },
};
const config = async (folder: string) =>
  JSON.parse(await readFile(join(pack, folder, "config.json"), "utf8"));
const weightFile = (folder: string, name = "diffusion_pytorch_model") =>
  join(pack, folder, `${name}.safetensors`);
const random = (shape: number[], scale = 1) =>
  float32(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (Math.random() - 0.5) * scale),
    shape,
  );

async function time<T>(label: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  console.log(`${label}: ${(performance.now() - start).toFixed(0)} ms`);
  return result;
}

async function repeat(label: string, session: Session, feeds: Feeds, times: number): Promise<void> {
  const all: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < times + 1; i++) {
    const start = performance.now();
    const used = process.cpuUsage();
    await session.run(feeds);
    all.push(performance.now() - start);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1000);
  }
  const [first, ...rest] = all;
  const sorted = rest.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  console.log(
    `${label}: first ${first?.toFixed(0)}, min ${sorted[0]?.toFixed(0)}, median ${median.toFixed(0)} ms; CPU time ${Math.min(...cpu).toFixed(0)} ms`,
  );
}

function loraFeeds(targets: readonly LoraTarget[], r: number): Feeds {
  const feeds: Record<string, ReturnType<typeof float32>> = {};
  for (const { path, in: width, out } of targets) {
    feeds[`lora.${path}.A`] = random([r, width], 0.01);
    feeds[`lora.${path}.B`] = random([out, r], 0.01);
  }
  return feeds;
}

// Beside the pack, so that weights are linked, not copied.
const cache = await mkdtemp(join(dirname(pack), ".bench-"));
const load = (label: string, model: () => OnnxModel, profile?: string) =>
  time(`${label} create`, () => createSession(model(), cache, { ...threads, profilePrefix: profile }));
try {
  const weights = await openWeights([weightFile("unet"), weightFile("motion_adapter")]);
  const shape = unetMotionShape(
    unetConfig.parse(await config("unet")),
    motionAdapterConfig.parse(await config("motion_adapter")),
  );
  const feeds: Feeds = {
    sample: random([2, shape.inChannels, frames, size, size]),
    timestep: float32(Float32Array.of(500), []),
    encoder_hidden_states: random([2, 77, shape.mid.crossDim]),
    ...(shape.textTime
      ? { text_embeds: random([2, shape.textTime.textDim]), time_ids: random([2, 6], 256) }
      : {}),
  };
  for (const lora of [false, true]) {
    const label = lora ? `unet, LoRA rank ${rank}` : "unet";
    let targets: readonly LoraTarget[] = [];
    const build = () => {
      const model = buildUnetMotion({ shape, weights, target: cpuTarget, lora });
      targets = model.loraTargets;
      return model;
    };
    const session = await load(
      label,
      build,
      values.profile && `${values.profile}-${lora ? "lora" : "plain"}`,
    );
    const name = `${label} [2,${shape.inChannels},${frames},${size},${size}]`;
    if (lora) {
      await repeat(`${name} rank 0`, session, { ...feeds, ...loraFeeds(targets, 0) }, steps);
      await repeat(name, session, { ...feeds, ...loraFeeds(targets, rank) }, steps);
    } else await repeat(name, session, feeds, steps);
    await session.release();
  }
  const vaeWeights = await openWeights([weightFile("vae")]);
  const vae = autoencoderConfig.parse(await config("vae"));
  const decoder = await load(
    "vae decoder",
    () => buildVaeDecoder({ config: vae, weights: vaeWeights, target: cpuTarget }),
    values.profile && `${values.profile}-vae`,
  );
  for (const n of [1, 4, 8]) {
    await repeat(
      `vae decode ${n} frames`,
      decoder,
      { latent_sample: random([n, vae.latent_channels, size, size]) },
      3,
    );
  }
  await decoder.release();
  for (const folder of ["text_encoder", "text_encoder_2"]) {
    const clip = clipTextConfig.parse(await config(folder));
    const clipWeights = await openWeights([weightFile(folder, "model")]);
    const session = await load(folder, () =>
      buildClipText({ config: clip, weights: clipWeights, target: cpuTarget, lora: true }),
    );
    await session.release();
  }
  console.log(`peak memory: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);
} finally {
  await rm(cache, { recursive: true, force: true });
}
