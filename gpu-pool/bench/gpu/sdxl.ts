import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildVaeDecoder, buildVaeEncoder } from "../../src/graphs/autoencoder-kl.ts";
import type { OnnxModel } from "../../src/graphs/builder/index.ts";
import { buildClipText } from "../../src/graphs/clip-text.ts";
import { clipTextConfig } from "../../src/graphs/config/clip.ts";
import { motionAdapterConfig, unetConfig, unetMotionShape } from "../../src/graphs/config/unet.ts";
import { autoencoderConfig } from "../../src/graphs/config/vae.ts";
import { cpuTarget } from "../../src/graphs/target/cpu.ts";
import { type CudaOptions, cudaTarget, nativeCheckTarget } from "../../src/graphs/target/cuda.ts";
import { NATIVE_PARTS, nativePartsFor } from "../../src/graphs/target/native-kernels.ts";
import type { Target } from "../../src/graphs/target/target.ts";
import { buildUnetMotion } from "../../src/graphs/unet-motion.ts";
import { numbersToReserve, planUnet, smallModeChunks } from "../../src/graphs/unet-plan.ts";
import type { LoraLayer } from "../../src/lora/adapter.ts";
import { joinAdapters } from "../../src/lora/index.ts";
import { loadNativeOps } from "../../src/onnx/native-ops.ts";
import { ResidentFeeds } from "../../src/onnx/resident-feeds.ts";
import { type Feeds, float32, floatOutput, int64, type SessionOptions } from "../../src/onnx/session.ts";
import { sessionOptions } from "../../src/pipelines/animatediff/device.ts";
import { openWeights } from "../../src/weights/weight-set.ts";
import { distance, floats, memoryUsed, open, say, timed, watchMemory } from "./measure.ts";

/**
 * Times the graphs of full-size SDXL + AnimateDiff and compares them with diffusers, over the folder that
 * torch_sdxl.py wrote:
 *
 *     bun bench/gpu/sdxl.ts FOLDER step --frames 16 [--variants plain,deterministic]
 *     CUDA_LAUNCH_BLOCKING=1 bun bench/gpu/sdxl.ts FOLDER profile --frames 16 [--variants native]
 *     bun bench/gpu/sdxl.ts FOLDER lora --frames 16
 *     bun bench/gpu/sdxl.ts FOLDER memory --frames 16 --mode normal|small
 *     bun bench/gpu/sdxl.ts FOLDER vae | clip
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    frames: { type: "string", default: "16" },
    repeats: { type: "string", default: "6" },
    variants: { type: "string", default: "plain" },
    mode: { type: "string", default: "normal" },
    provider: { type: "string", default: "cuda" },
    /** The own operators, for variants that name them. */
    library: { type: "string" },
  },
});
const [folder = ".", what = "step"] = positionals;
const frames = Number(values.frames);
const repeats = Number(values.repeats);
const provider = values.provider === "cpu" ? "cpu" : "cuda";

const library = values.library ? loadNativeOps(values.library) : undefined;

/** What can be timed against each other. Symbolic sizes but for `deterministic`. */
const VARIANTS: Readonly<Record<string, CudaOptions>> = {
  plain: {},
  chunks4: { feedForwardChunks: 4 },
  deterministic: { deterministic: true },
  native: { native: nativePartsFor(library?.computeCapability() ?? 0) },
  /** What every GPU has. */
  general: { native: NATIVE_PARTS },
  feedForward: { native: ["feedForward"] },
  attention: { native: ["attention"] },
  geglu: { native: ["geglu"] },
  norms: { native: ["groupNorm", "layerNorm"] },
  upsample: { native: ["upsample"] },
  withoutUpsample: { native: ["attention", "geglu", "groupNorm", "layerNorm"] },
};

const json = async (path: string) => JSON.parse(await readFile(join(folder, path), "utf8"));
const reference = (name: string, of = frames) => floats(join(folder, "reference", String(of), `${name}.bin`));
const weights = (...names: string[]) => openWeights(names.map((name) => join(folder, `${name}.safetensors`)));

function target(options: CudaOptions = {}): Target {
  if (provider === "cuda") return cudaTarget(options);
  return options.native ? nativeCheckTarget(options) : cpuTarget;
}

const chosen = () =>
  values.variants.split(",").map((name) => {
    const options = VARIANTS[name];
    if (!options) throw new Error(`no variant "${name}"; there are ${Object.keys(VARIANTS).join(", ")}`);
    return { name, options };
  });
/** The most memory that this process has had on the host: the first session of a process tells what one takes. */
const hostPeak = () => Math.round(process.resourceUsage().maxRSS / 1024);
const cache = await mkdtemp(join(folder, ".cache-"));

async function unet() {
  const shape = unetMotionShape(
    unetConfig.parse(await json("unet/config.json")),
    motionAdapterConfig.parse(await json("motion_adapter/config.json")),
  );
  const tensors = await weights("unet/diffusion_pytorch_model", "motion_adapter/diffusion_pytorch_model");
  const { size } = (await json(`reference/${frames}/sizes.json`)) as { size: number };
  const textDim = shape.textTime?.textDim ?? 0;
  const crossDim = shape.mid.crossDim;
  const text = await reference("text");
  const feeds: Feeds = {
    sample: float32(await reference("sample"), [2, 4, frames, size, size]),
    timestep: float32(Float32Array.of(501), []),
    encoder_hidden_states: float32(text, [2, 77, crossDim]),
    text_embeds: float32(await reference("pooled"), [2, textDim]),
    time_ids: float32(await reference("ids"), [2, 6]),
  };
  const make = async (
    batch: number,
    options: CudaOptions,
    lora: boolean,
    { reserve, ...session }: SessionOptions & { reserve?: boolean } = {},
  ) => {
    const fixed = { batch, frames, height: size, width: size, tokens: 77 };
    const plan = planUnet(shape, fixed, options.feedForwardChunks);
    const symbolic = { batch: "B", frames, height: "H", width: "W", tokens: "S" };
    const sizes = options.deterministic ? fixed : symbolic;
    const opened = await open(
      provider,
      cache,
      () =>
        buildUnetMotion({
          shape,
          weights: tensors,
          target: target({ ...options, ...plan }),
          lora,
          sizes,
          reserve,
        }),
      session,
    );
    return { ...opened, plan };
  };
  const numbers = numbersToReserve(shape, { batch: 1, frames, height: size, width: size });
  return { feeds, make, size, reserve: { reserve: int64([numbers], [1]) } };
}

async function step(): Promise<void> {
  const { feeds, make } = await unet();
  const torch = await reference("unet");
  const exact = await reference("exact").catch(() => undefined);
  for (const { name, options } of chosen()) {
    try {
      const { session, buildMs, createMs, plan } = await make(2, options, false);
      const hostPeakMiB = hostPeak();
      const { figures, result } = await timed(session, feeds, "out_sample", repeats);
      say({
        section: "step",
        who: name,
        frames,
        ...figures,
        fromTorchHalf: distance(result, torch),
        fromFloat32: exact && distance(result, exact),
        buildMs,
        createMs,
        ...plan,
        memoryMiB: memoryUsed(),
        hostPeakMiB,
      });
      await session.release();
    } catch (error) {
      say({ section: "step", who: name, frames, error: String(error).slice(0, 600) });
    }
  }
}

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** Milliseconds of each operator in the last of three steps; launches must be blocking, or they are launch times. */
async function profile(): Promise<void> {
  const { feeds, make } = await unet();
  for (const { name, options } of chosen()) {
    const prefix = join(cache, `trace-${name}`);
    const { session } = await make(2, options, false, { profilePrefix: prefix });
    for (let i = 0; i < 3; i++) await session.run(feeds);
    await session.release();
    const file = (await readdir(cache)).find((entry) => entry.startsWith(`trace-${name}`));
    if (!file) throw new Error("ONNX Runtime wrote no trace");
    const events = JSON.parse(await readFile(join(cache, file), "utf8")) as TraceEvent[];
    const runs = events.filter((event) => event.name === "model_run");
    const from = runs.at(-1)?.ts ?? 0;
    const sums = new Map<string, { ms: number; count: number }>();
    for (const { cat, name: node, ts, dur, args } of events) {
      if (cat !== "Node" || !node.endsWith("_kernel_time") || ts < from || !args?.op_name) continue;
      const sum = sums.get(args.op_name) ?? { ms: 0, count: 0 };
      sums.set(args.op_name, { ms: sum.ms + dur / 1000, count: sum.count + 1 });
    }
    const ops = [...sums]
      .sort((a, b) => b[1].ms - a[1].ms)
      .map(([op, { ms, count }]) => [op, Math.round(ms * 100) / 100, count]);
    say({ section: "profile", who: name, frames, stepMs: (runs.at(-1)?.dur ?? 0) / 1000, ops });
  }
}

/** Random LoRA matrices of a rank, as the pipeline feeds them; for the layers whose path fits. */
function loraFeeds({ loraTargets, loraLayout: layout }: OnnxModel, rank: number, only = /./): Feeds {
  const random = (length: number) => Float32Array.from({ length }, () => (Math.random() - 0.5) * 0.02);
  const layers = loraTargets
    .filter(({ path }) => rank > 0 && only.test(path))
    .map(({ path, in: width, out }): [string, LoraLayer] => [
      path,
      { a: random(rank * width), b: random(out * rank), rank, scale: 1 },
    ]);
  const adapter = { name: "random", layers: new Map([["unet", new Map(layers)]] as const), unmatched: [] };
  const dtype = provider === "cuda" ? "float16" : "float32";
  return joinAdapters("unet", loraTargets, [{ adapter, weight: 1 }], { dtype, layout });
}

const ATTENTION = /attn[12]\.to_(q|k|v|out\.0)$/;

/** What LoRA inputs cost a step: none in the graph, of no rank, on attention alone, on every layer; sent or kept there. */
async function lora(): Promise<void> {
  const { feeds, make } = await unet();
  for (const { name, options } of chosen()) {
    const common = { section: "lora", who: name, frames };
    const bare = await make(2, options, false);
    const { figures } = await timed(bare.session, feeds, "out_sample", repeats);
    say({ ...common, inputs: "none", ...figures, memoryMiB: memoryUsed() });
    await bare.session.release();
    const { session, model, createMs } = await make(2, options, true);
    for (const [inputs, rank, only] of [
      ["all", 0, /./],
      ["attention", 32, ATTENTION],
      ["all", 32, /./],
    ] as const) {
      const matrices = loraFeeds(model, rank, only);
      const bytes = Object.values(matrices).reduce((sum, { data }) => sum + data.byteLength, 0);
      const resident = new ResidentFeeds(1, provider === "cuda" ? library : undefined);
      for (const kept of rank > 0 && library ? [false, true] : [false]) {
        const started = performance.now();
        if (kept) resident.keep(matrices);
        const keepMs = kept ? Math.round(performance.now() - started) : undefined;
        const { figures } = await timed(session, { ...feeds, ...matrices }, "out_sample", repeats);
        const layers = model.loraTargets.filter(({ path }) => only.test(path)).length;
        const megabytes = Math.round(bytes / 1e5) / 10;
        const facts = { inputs, rank, layers, megabytes, kept, keepMs, createMs };
        say({ ...common, ...facts, ...figures, memoryMiB: memoryUsed() });
      }
      resident.clear();
    }
    await session.release();
  }
}

/** A clip's memory with LoRAs of total rank 32: a step, then decoding a frame. `small` is the pipeline's small mode. */
async function memory(): Promise<void> {
  const small = values.mode === "small";
  const [{ name, options } = { name: "plain", options: {} }] = chosen();
  const base = memoryUsed();
  const watch = watchMemory();
  const { feeds, make, size, reserve } = await unet();
  const config = autoencoderConfig.parse(await json("vae/config.json"));
  const tensors = await weights("vae/diffusion_pytorch_model");
  const own = sessionOptions({ device: provider, smallMemory: small, cacheDir: cache });
  const decoder = await open(
    provider,
    cache,
    () => buildVaeDecoder({ config, weights: tensors, target: target(options) }),
    own,
  );
  const batch = small ? 1 : 2;
  const feedForwardChunks = small ? smallModeChunks(options.native ?? []) : 1;
  const { session, model } = await make(batch, { ...options, feedForwardChunks }, true, {
    ...own,
    reserve: small,
  });
  const loaded = memoryUsed();
  const half = (part: number): Feeds =>
    Object.fromEntries(
      Object.entries(feeds).map(([key, { data, shape }]) => {
        if (shape[0] !== 2 || batch === 2) return [key, float32(data as Float32Array, shape)];
        const length = data.length / 2;
        const rows = (data as Float32Array).subarray(part * length, (part + 1) * length);
        return [key, float32(rows, [1, ...shape.slice(1)])];
      }),
    );
  const adapters = loraFeeds(model, 32);
  new ResidentFeeds(1, provider === "cuda" ? library : undefined).keep(adapters);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    // As the pipeline does: after the last step the VAE gets the memory.
    library?.giveBack(small && i === 4);
    const start = performance.now();
    for (let part = 0; part < 2 / batch; part++)
      floatOutput(await session.run({ ...half(part), ...adapters, ...(small ? reserve : {}) }), "out_sample");
    times.push(performance.now() - start);
  }
  const afterSteps = memoryUsed();
  const latents = float32(new Float32Array(4 * size * size).fill(0.1), [1, 4, size, size]);
  await decoder.session.run({ latent_sample: latents });
  library?.giveBack(false);
  const peakMiB = await watch.peak();
  say({
    section: "memory",
    who: name,
    mode: values.mode,
    frames,
    stepMs: Math.round(Math.min(...times)),
    peakMiB,
    baseMiB: base,
    loadedMiB: loaded,
    afterStepsMiB: afterSteps,
    afterDecodeMiB: memoryUsed(),
  });
  await session.release();
  await decoder.session.release();
}

async function vae(): Promise<void> {
  const config = autoencoderConfig.parse(await json("vae/config.json"));
  const tensors = await weights("vae/diffusion_pytorch_model");
  const { size } = (await json("reference/1/sizes.json")) as { size: number };
  for (const { name, options } of chosen()) {
    try {
      const common = { config, weights: tensors, target: target(options) };
      const fixed = { batch: 1, height: size, width: size };
      const counts = options.deterministic ? [1] : [1, 4];
      const sizes = options.deterministic ? fixed : undefined;
      const make = (output: "sample" | "rgb") =>
        open(provider, cache, () => buildVaeDecoder({ ...common, sizes, output }));
      const latents = async (count: number) =>
        float32(await reference(`latents${count}`, 1), [count, 4, size, size]);
      const finished = await make("rgb");
      for (const count of counts) {
        const feeds = { latent_sample: await latents(count) };
        const { figures } = await timed(finished.session, feeds, "mean", repeats);
        const [perFrame, memoryMiB] = [figures.min / count, memoryUsed()];
        say({
          section: "vae decode",
          who: name,
          output: "rgb",
          frames: count,
          ...figures,
          perFrame,
          memoryMiB,
        });
      }
      await finished.session.release();
      const { session, createMs } = await make("sample");
      const { figures, result } = await timed(
        session,
        { latent_sample: await latents(1) },
        "sample",
        repeats,
      );
      const fromTorchHalf = distance(result, await reference("vae1", 1));
      const exact = await reference("exact1", 1).catch(() => undefined);
      const fromFloat32 = exact && distance(result, exact);
      say({
        section: "vae decode",
        who: name,
        output: "sample",
        frames: 1,
        ...figures,
        fromTorchHalf,
        fromFloat32,
        createMs,
      });
      await session.release();
    } catch (error) {
      say({ section: "vae decode", who: name, error: String(error).slice(0, 600) });
    }
  }
  const { session } = await open(provider, cache, () =>
    buildVaeEncoder({ config, weights: tensors, target: target() }),
  );
  const image = float32(await reference("image", 1), [1, 3, 8 * size, 8 * size]);
  const { figures, result } = await timed(session, { sample: image }, "latent_mean", repeats);
  const torch = distance(result, await reference("vae_mean", 1));
  say({ section: "vae encode", who: "plain", ...figures, fromTorchHalf: torch });
  await session.release();
}

async function clip(): Promise<void> {
  const config = clipTextConfig.parse(await json("text_encoder_2/config.json"));
  const options = { config, weights: await weights("text_encoder_2/model"), target: target(), lora: false };
  const { session, createMs } = await open(provider, cache, () => buildClipText(options));
  const feeds = { input_ids: int64(await reference("tokens", 1), [2, 77]) };
  const penultimate = `hidden_states.${config.num_hidden_layers - 1}`;
  for (const [output, stored] of [
    ["text_embeds", "text_embeds"],
    [penultimate, "penultimate"],
  ] as const) {
    const { figures, result } = await timed(session, feeds, output, repeats);
    const torch = distance(result, await reference(stored, 1));
    say({ section: "text encoder bigG", output, ...figures, fromTorchHalf: torch, createMs });
  }
  await session.release();
}

const sections: Readonly<Record<string, () => Promise<void>>> = { step, profile, lora, memory, vae, clip };
try {
  const run = sections[what];
  if (!run) throw new Error(`no section "${what}"; there are ${Object.keys(sections).join(", ")}`);
  await run();
} finally {
  await rm(cache, { recursive: true, force: true });
}
