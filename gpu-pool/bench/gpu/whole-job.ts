/**
 * The brief's whole job at full size, through a node as it is deployed: 32 frames of 1024x1024 in 50 steps with both
 * LoRAs, a dialogue, and the MP4. Takes the random weights of torch.sh:
 *
 *     bun bench/gpu/whole-job.ts FOLDER OUT [--device cuda:0|cpu] [--steps 50] [--frames 32] [--size 1024] [--tiny]
 *
 * Random weights speak no sense, so the voice's repairs may repeat a chunk: `voice` is told apart.
 */

import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { channelOptions, NodeService } from "@cartoon/protos";
import type { RunRequest } from "@cartoon/protos/gen/RunRequest";
import type { RunResponse__Output } from "@cartoon/protos/gen/RunResponse";
import { credentials } from "@grpc/grpc-js";
import { parseNodeEnv } from "../../src/env.ts";
import { PACK_SOURCES } from "../../src/packs/pull/sources.ts";
import { Node } from "../../src/supervisor/node.ts";
import { serveNode } from "../../src/supervisor/server.ts";
import { openWeights } from "../../src/weights/weight-set.ts";
import { memoryUsed, say, watchMemory } from "./measure.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: "string", default: "cuda:0" },
    steps: { type: "string", default: "50" },
    frames: { type: "string", default: "32" },
    size: { type: "string", default: "1024" },
    memory: { type: "string", default: "full" },
    tiny: { type: "boolean", default: false },
  },
});
const folder = resolve(positionals[0] ?? ".");
const out = resolve(positionals[1] ?? ".");
const [steps, frames, size] = [Number(values.steps), Number(values.frames), Number(values.size)];
const ffmpeg = process.env.FFMPEG_PATH ?? createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg").path;
const MODELS = ["unet", "motion_adapter", "vae", "text_encoder", "text_encoder_2"];
const EULER = {
  _class_name: "EulerDiscreteScheduler",
  ...{ beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 },
  ...{ timestep_spacing: "leading", steps_offset: 1 },
};

/** A LoRA of rank 16 on the attention layers of the UNet, in PEFT's names. */
async function writeLora(path: string, seed: number): Promise<void> {
  const rank = 16;
  const weights = await openWeights([join(folder, "unet/diffusion_pytorch_model.safetensors")]);
  const header: Record<string, unknown> = {};
  let offset = 0;
  const wanted = /attn[12]\.to_(q|k|v|out\.0)\.weight$/;
  for (const [name, { shape }] of weights.tensors) {
    if (!wanted.test(name)) continue;
    const at = `unet.${name.replace(/\.weight$/, "")}`;
    for (const [part, dims] of [
      ["lora_A", [rank, shape[1] ?? 0]],
      ["lora_B", [shape[0] ?? 0, rank]],
    ] as const) {
      const bytes = 2 * dims[0] * dims[1];
      header[`${at}.${part}.weight`] = { dtype: "F16", shape: dims, data_offsets: [offset, offset + bytes] };
      offset += bytes;
    }
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  let state = seed;
  const halves = Uint16Array.from({ length: offset / 2 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Between 0.008 and 0.016, of either sign.
    return ((state >>> 31) << 15) | 0x2000 | ((state >>> 16) & 0x3ff);
  });
  const length = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  await writeFile(path, Buffer.concat([length, text, new Uint8Array(halves.buffer)]));
}

async function makePack(): Promise<string> {
  const packs = join(folder, "packs");
  const pack = join(packs, "sdxl");
  await rm(packs, { recursive: true, force: true });
  await mkdir(join(pack, "loras"), { recursive: true });
  for (const name of MODELS) await symlink(join(folder, name), join(pack, name));
  for (const name of ["dia", "dac"]) await symlink(join(folder, "voice", name), join(pack, name));
  const tokenizer = join(import.meta.dirname, "../../packs/toon/tokenizer");
  for (const name of ["tokenizer", "tokenizer_2"]) await cp(tokenizer, join(pack, name), { recursive: true });
  await mkdir(join(pack, "scheduler"));
  await writeFile(join(pack, "scheduler/scheduler_config.json"), JSON.stringify(EULER));
  const { manifest } = PACK_SOURCES.sdxl ?? {};
  if (!manifest?.picture || !manifest.voice) throw new Error("the sdxl pack draws and speaks");
  const parts = [...MODELS, "dia", "dac", "tokenizer", "tokenizer_2", "scheduler"];
  const dac = JSON.parse(await readFile(join(pack, "dac/config.json"), "utf8"));
  const characters = manifest.characters.map((character) => ({
    ...character,
    lora: `loras/${character.name}.safetensors`,
  }));
  for (const [i, { name }] of characters.entries())
    await writeLora(join(pack, `loras/${name}.safetensors`), i + 1);
  const whole = {
    ...manifest,
    components: Object.fromEntries(parts.map((part) => [part, part])),
    // All frames in one pass, as the brief's pipeline draws them.
    picture: {
      ...manifest.picture,
      native: { width: size, height: size },
      sizes: [[size, size]],
      frames: { ...manifest.picture.frames, min: 1, default: frames, window: frames },
      steps: { default: steps, max: Math.max(steps, 100) },
      scheduler_preset: "toon",
    },
    voice: { ...manifest.voice, sample_rate: dac.sampling_rate },
    characters,
    files: {},
  };
  await writeFile(join(pack, "pack.json"), JSON.stringify(whole));
  return packs;
}

const request = {
  pack: "sdxl",
  deterministic: false,
  clip: {
    prompt:
      "temo and felfel characters working together on moon base, both characters clearly visible, temo in space suit on left, felfel in adventure gear on right, epic lighting",
    characters: ["temo", "felfel"].map((name) => ({ name, weight: 0.5 })),
    ...{ width: size, height: size, num_frames: frames, fps: 8, num_inference_steps: steps },
    ...{ guidance_scale: 8, guidance_rescale: 0, scheduler: "", seed: 42, prompt_travel: [], clip_skip: 0 },
    ...{ loop: false, blend: "equal", speaker_focus: 0, quality: "full" },
  },
  speech: {
    lines: [
      { speaker: "temo", text: "Welcome to our lunar base, Felfel!" },
      { speaker: "felfel", text: "This technology is incredible, Temo!" },
    ],
    ...{
      max_new_tokens: values.tiny ? 200 : 1024,
      guidance_scale: 5,
      temperature: 1.4,
      top_p: 0.9,
      top_k: 45,
    },
    ...{ seed: 42, voices: [] },
  },
  output: { formats: ["mp4"], fit: "pingpong", captions: true },
};

const objects = new Map<string, Uint8Array>();
const store = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(put) {
    objects.set(new URL(put.url).pathname.slice(1), await put.bytes());
    return new Response("");
  },
});

async function draw(client: InstanceType<typeof NodeService>, id: string) {
  const started = performance.now();
  const at: Record<string, number> = {};
  const stages = new Map<string, number>();
  const warnings: unknown[] = [];
  let end: RunResponse__Output | undefined;
  const uploads = ["clip.mp4", "speech.wav", "captions.vtt", "manifest.json"].map((name) => ({
    name,
    put_url: `http://127.0.0.1:${store.port}/${id}-${name}`,
    content_type: "",
    headers: {},
  }));
  const call = { job_id: id, attempt: 1, fence: 1, spec: request, uploads, deadline_ms: 0 };
  for await (const event of client.run(call as unknown as RunRequest) as AsyncIterable<RunResponse__Output>) {
    const seconds = Math.round(performance.now() - started) / 1000;
    const stage = event.progress?.stage ?? event.event ?? "";
    if (event.warning) warnings.push(event.warning);
    at[stage] ??= seconds;
    stages.set(stage, seconds);
    end = event;
  }
  const wall = Math.round(performance.now() - started) / 1000;
  return { wall, warnings: warnings.slice(0, 8), firstAt: at, lastAt: Object.fromEntries(stages), end };
}

const packs = await makePack();
const watch = watchMemory();
const env = parseNodeEnv({
  ...process.env,
  CARTOON_NODE_ID: "bench",
  CARTOON_NODE_LISTEN: "127.0.0.1:0",
  CARTOON_PACK_DIRS: packs,
  CARTOON_PACK: "sdxl",
  CARTOON_DEVICES: values.device,
  CARTOON_MEMORY: values.memory,
  CARTOON_WORK_DIR: join(folder, "work"),
  CARTOON_CACHE_DIR: join(folder, "cache"),
  CARTOON_ASSET_DIR: join(folder, "assets"),
  FFMPEG_PATH: ffmpeg,
});
const loading = performance.now();
const node = await Node.start(env);
const server = await serveNode(node, env);
const client = new NodeService(`127.0.0.1:${server.port}`, credentials.createInsecure(), channelOptions);
await new Promise<void>((ready, failed) => {
  const look = ({ health, detail }: { health: string; detail: string }) => {
    if (health === "NODE_HEALTH_READY") ready();
    else if (/FAILED|BROKEN|UNHEALTHY/.test(health)) failed(new Error(`${health}: ${detail}`));
  };
  look(node.pool.status());
  node.pool.subscribe(look);
});
say({
  section: "whole job: load",
  seconds: Math.round(performance.now() - loading) / 1000,
  memoryMiB: memoryUsed(),
});
for (const id of values.tiny ? ["first"] : ["first", "second"]) {
  const { end, ...figures } = await draw(client, id);
  const mp4 = objects.get(`${id}-clip.mp4`)?.length;
  const failed = end?.failed;
  const spent = end?.succeeded?.receipt?.stages ?? [];
  const stages = Object.fromEntries(
    spent.map(({ stage, seconds }) => [stage, Math.round(seconds * 1000) / 1000]),
  );
  say({ section: "whole job", id, event: end?.event, ...figures, stages, mp4Bytes: mp4, failed });
}
say({ section: "whole job: memory", peakMiB: await watch.peak() });
const clip = objects.get("first-clip.mp4");
if (clip) await writeFile(join(out, "whole-job.mp4"), clip);
const manifest = objects.get("second-manifest.json") ?? objects.get("first-manifest.json");
if (manifest) await writeFile(join(out, "whole-job.json"), manifest);
client.close();
await node.close(0);
await server.close();
await store.stop(true);
process.exit(0);
