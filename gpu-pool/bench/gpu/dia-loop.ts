import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { GraphBuilder } from "../../src/graphs/builder/index.ts";
import { DiaConfig } from "../../src/graphs/dia-config.ts";
import { buildDiaDecoder } from "../../src/graphs/dia-decoder.ts";
import { DIA_CPU, type DiaTarget } from "../../src/graphs/dia-layers.ts";
import { applyEnding, sampleFrame } from "../../src/graphs/dia-sampler.ts";
import { loadNativeOps } from "../../src/onnx/native-ops.ts";
import {
  createSession,
  type Feeds,
  float32,
  floatOutput,
  int64,
  type Outputs,
  type Session,
  type TensorValue,
} from "../../src/onnx/session.ts";
import { Mt19937 } from "../../src/random/index.ts";
import { toHalfArray } from "../../src/weights/float16.ts";
import { openWeights, type WeightSet } from "../../src/weights/weight-set.ts";
import { distance, say } from "./measure.ts";

/**
 * Holds DiaDecode (gpu-pool/native) against the Loop of standard operators in float32 on the CPU, on small random
 * decoders: bun bench/gpu/dia-loop.ts LIBRARY [--provider cuda|cpu]
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { provider: { type: "string", default: "cuda" } },
});
const provider = values.provider === "cpu" ? "cpu" : "cuda";
const folder = await mkdtemp(join(tmpdir(), "dia-loop-"));
if (!loadNativeOps(positionals[0])) throw new Error(`no library at ${positionals[0]}`);

const NATIVE: DiaTarget = {
  ...DIA_CPU,
  dtype: "float16",
  // The CPU's fused attention is for float32.
  selfAttention: provider === "cuda" ? "gqa" : "plain",
  nativeLoop: true,
};
const HEAD = { layer: 1, head: 1 };
const CANDIDATES = 45;

interface Model {
  readonly name: string;
  readonly config: DiaConfig;
  readonly weights: WeightSet;
  readonly native: Session;
  readonly exact: Session;
}

const SIZES = {
  // The feed-forward's rows come in pieces, four heads share keys.
  "wide feed-forward": {
    hidden_size: 128,
    intermediate_size: 4096,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    head_dim: 32,
    cross_num_attention_heads: 4,
    cross_num_key_value_heads: 4,
    cross_head_dim: 16,
  },
  // Sizes that fill neither tiles nor turns.
  "odd sizes": {
    hidden_size: 528,
    intermediate_size: 200,
    num_attention_heads: 5,
    num_key_value_heads: 1,
    head_dim: 64,
    cross_num_attention_heads: 2,
    cross_num_key_value_heads: 2,
    cross_head_dim: 128,
  },
};

function random(count: number, seed: number, scale: number): Float32Array {
  return new Mt19937(seed).randn(count).map((v) => v * scale);
}

async function randomWeights(config: DiaConfig, name: string): Promise<WeightSet> {
  const c = config.decoder;
  const shapes: Record<string, number[]> = {
    "model.decoder.embeddings.embed.weight": [c.num_channels * c.vocab_size, c.hidden_size],
    "model.decoder.norm.weight": [c.hidden_size],
    "logits_dense.weight": [c.num_channels * c.vocab_size, c.hidden_size],
  };
  const self = c.num_attention_heads * c.head_dim;
  const own = c.num_key_value_heads * c.head_dim;
  const cross = c.cross_num_attention_heads * c.cross_head_dim;
  for (let layer = 0; layer < c.num_hidden_layers; layer++) {
    const layerShapes = {
      pre_sa_norm: [c.hidden_size],
      pre_ca_norm: [c.hidden_size],
      pre_mlp_norm: [c.hidden_size],
      "self_attention.q_proj": [self, c.hidden_size],
      "self_attention.k_proj": [own, c.hidden_size],
      "self_attention.v_proj": [own, c.hidden_size],
      "self_attention.o_proj": [c.hidden_size, self],
      "cross_attention.q_proj": [cross, c.hidden_size],
      "cross_attention.o_proj": [c.hidden_size, cross],
      "mlp.gate_up_proj": [2 * c.intermediate_size, c.hidden_size],
      "mlp.down_proj": [c.hidden_size, c.intermediate_size],
    };
    for (const [key, shape] of Object.entries(layerShapes))
      shapes[`model.decoder.layers.${layer}.${key}.weight`] = shape;
  }
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [i, [key, shape]] of Object.entries(shapes).entries()) {
    const count = shape.reduce((a, b) => a * b, 1);
    // With scale 1 random queries and keys saturate the softmax unless they are small.
    const gain = /[qk]_proj/.test(key) ? 0.4 : 1;
    const scale = shape.length > 1 ? gain / Math.sqrt(shape.at(-1) ?? 1) : 0.1;
    const floats = random(count, i + 1, scale);
    const halves = toHalfArray(shape.length > 1 ? floats : floats.map((v) => v + 1));
    header[key] = { dtype: "F16", shape, data_offsets: [offset, offset + 2 * count] };
    offset += 2 * count;
    parts.push(new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength));
  }
  let text = JSON.stringify(header);
  text += " ".repeat(63 - ((text.length + 7) % 64));
  const size = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  const path = join(folder, `${name.replace(" ", "-")}.safetensors`);
  await writeFile(path, Buffer.concat([size, new TextEncoder().encode(text), ...parts]));
  return openWeights([path]);
}

async function load(name: keyof typeof SIZES): Promise<Model> {
  const config = DiaConfig.parse({
    model_type: "dia",
    encoder_config: { hidden_size: 64 },
    decoder_config: {
      ...SIZES[name],
      num_hidden_layers: 2,
      cross_hidden_size: 64,
      max_position_embeddings: 400,
      vocab_size: 132,
    },
    eos_token_id: 128,
    pad_token_id: 129,
    bos_token_id: 130,
  });
  const weights = await randomWeights(config, name);
  const options = { alignmentHead: HEAD, logits: true };
  const make = (target: DiaTarget, where: "cpu" | "cuda") =>
    createSession(buildDiaDecoder(config, weights, target, options), join(folder, "graphs"), {
      provider: where,
      memoryPattern: false,
    });
  return {
    name,
    config,
    weights,
    native: await make(NATIVE, provider),
    exact: await make({ ...DIA_CPU, selfAttention: "plain" }, "cpu"),
  };
}

interface Dialogues {
  /** Bytes of each dialogue's text. */
  readonly texts: readonly number[];
  /** Keys and values of rows before the run. */
  readonly past: number;
  readonly prompt: number;
  readonly frames: number;
  /** Frame at which the dialogues end; none: all tokens are free. */
  readonly endAt?: number;
  /** All tokens are given. */
  readonly forced?: boolean;
}

const pick = <T>(all: readonly T[], own: readonly number[]) =>
  own.flatMap((i) => (all[i] === undefined ? [] : [all[i]]));

/** Inputs of a run for the dialogues `own` of `d`, each with the same numbers in any company. */
function feeds(model: Model, d: Dialogues, own: readonly number[], half: boolean): Feeds {
  const { decoder: c, tokens: special } = model.config;
  const batch = own.length;
  const longest = Math.max(...pick(d.texts, own));
  const rows = [...own.map((b) => ({ b, seed: 2 * b })), ...own.map((b) => ({ b, seed: 2 * b + 1 }))];
  const floats = (data: Float32Array, shape: readonly number[]): TensorValue =>
    half ? { dtype: "float16", data: toHalfArray(data), shape } : float32(data, shape);
  const stacked = (seed: number, heads: number, dim: number, length: number, scale: number, fill: number) => {
    const parts: number[] = [];
    for (let layer = 0; layer < c.num_hidden_layers; layer++)
      for (const row of rows) {
        const stride = fill || d.texts[row.b] || 0;
        for (let head = 0; head < heads; head++) {
          const numbers = random(stride * dim, seed + ((layer * 64 + row.seed) * 64 + head), scale);
          // Both kinds of run start from the same numbers: those that half precision has.
          const rounded = new Float32Array(new Float16Array(numbers));
          parts.push(...rounded, ...new Array((length - stride) * dim).fill(0));
        }
      }
    return floats(Float32Array.from(parts), [c.num_hidden_layers, rows.length, heads, length, dim]);
  };
  const ids = (seed: number, count: number) =>
    Array.from(new Mt19937(seed).randn(count), (v) => Math.floor(Math.abs(v * 400) % 128));
  const perDialogue = (each: (b: number) => readonly number[]) => own.flatMap((b) => [...each(b)]);
  const mask = rows.flatMap(({ b }) =>
    Array.from({ length: longest }, (_, i) => (i < (d.texts[b] ?? 0) ? 1 : 0)),
  );
  const forcedRow = (frame: number, b: number) => {
    if (d.forced) return ids(7000 + frame * 64 + b, c.num_channels);
    const row = new Array(c.num_channels).fill(-1);
    if (frame < 2) row[3] = special.bos;
    if (d.endAt !== undefined && frame === d.endAt + b) row[0] = special.eos;
    return row;
  };
  const each = Array.from({ length: d.frames }, (_, frame) => frame);
  const noise = each.flatMap((frame) =>
    perDialogue((b) => [...new Mt19937(frame * 64 + b).gumbel(c.num_channels * CANDIDATES)]),
  );
  const kv = (seed: number) => stacked(seed, c.num_key_value_heads, c.head_dim, d.past, 0.8, d.past || 0);
  const text = (seed: number, scale: number) =>
    stacked(seed, c.cross_num_attention_heads, c.cross_head_dim, longest, scale, 0);
  const empty = floats(new Float32Array(0), [
    c.num_hidden_layers,
    rows.length,
    c.num_key_value_heads,
    0,
    c.head_dim,
  ]);
  return {
    n: int64([d.frames], []),
    prompt: int64(
      perDialogue((b) => ids(500 + b, d.prompt * c.num_channels)),
      [batch, d.prompt, c.num_channels],
    ),
    tok: int64(
      perDialogue((b) => ids(900 + b, c.num_channels)),
      [batch, c.num_channels],
    ),
    ending: int64(new Array(batch).fill(-1), [batch]),
    past_k: d.past ? kv(100_000) : empty,
    past_v: d.past ? kv(200_000) : empty,
    mask: float32(Float32Array.from(mask), [rows.length, longest]),
    cross_k: text(300_000, 0.5),
    cross_v: text(400_000, 1),
    forced: int64(
      each.flatMap((frame) => perDialogue((b) => forcedRow(frame, b))),
      [d.frames, batch, c.num_channels],
    ),
    gumbel: float32(Float32Array.from(noise), [d.frames, batch, c.num_channels, CANDIDATES]),
    params: float32(
      Float32Array.from([
        ...own.map((b) => 2 + b / 4),
        ...own.map((b) => 1 / (1 + b / 8)),
        ...own.map((b) => (b % 3 === 2 ? 1 : 0.9)),
      ]),
      [3, batch],
    ),
  };
}

const halvesToFloats = (value: TensorValue | undefined): Float32Array =>
  value?.data instanceof Uint16Array
    ? new Float32Array(new Float16Array(value.data.slice().buffer))
    : value?.data instanceof Float32Array
      ? value.data
      : new Float32Array();

/** What the sampler's graph draws from the logits that came out, frame by frame. */
async function drawnAgain(model: Model, fed: Feeds, outputs: Outputs): Promise<number[]> {
  const { decoder: c } = model.config;
  const g = new GraphBuilder({ dtype: "float32" });
  const shape = ["B", c.num_channels, c.vocab_size];
  const cond = g.input("cond", "float32", shape);
  const uncond = g.input("uncond", "float32", shape);
  const forced = g.input("forced", "int64", ["B", c.num_channels]);
  const gumbel = g.input("gumbel", "float32", ["B", c.num_channels, "K"]);
  const ending = g.input("ending", "int64", ["B"]);
  const [guidance, inverseTemperature, topP] = ["guidance", "inverse", "topP"].map((name) =>
    g.input(name, "float32", ["B", 1, 1]),
  );
  if (!guidance || !inverseTemperature || !topP) throw new Error("three settings");
  const settings = { guidance, inverseTemperature, topP, topK: g.size("K") };
  const drawn = sampleFrame(g, model.config, { cond, uncond, forced, gumbel, ...settings });
  const end = applyEnding(g, model.config, drawn, ending);
  g.output("tokens", end.tokens);
  g.output("next", end.ending);
  const session = await createSession(g.build("sampler"), join(folder, "graphs"), { memoryPattern: false });
  const logits = floatOutput(outputs, "logits");
  const [frames = 0, , batch = 1] = outputs.logits?.shape ?? [];
  const part = <T extends { slice(a: number, b: number): T }>(data: T, i: number, size: number) =>
    data.slice(i * size, (i + 1) * size);
  const params = fed.params?.data as Float32Array;
  const size = batch * c.num_channels * c.vocab_size;
  let since: TensorValue = fed.ending as TensorValue;
  const tokens: number[] = [];
  for (let i = 0; i < frames; i++) {
    const made = await session.run({
      cond: float32(part(logits, 2 * i, size), [batch, c.num_channels, c.vocab_size]),
      uncond: float32(part(logits, 2 * i + 1, size), [batch, c.num_channels, c.vocab_size]),
      forced: {
        dtype: "int64",
        data: part(fed.forced?.data as BigInt64Array, i, batch * c.num_channels),
        shape: [batch, c.num_channels],
      },
      gumbel: float32(part(fed.gumbel?.data as Float32Array, i, batch * c.num_channels * CANDIDATES), [
        batch,
        c.num_channels,
        CANDIDATES,
      ]),
      ending: since,
      guidance: float32(params.slice(0, batch), [batch, 1, 1]),
      inverse: float32(params.slice(batch, 2 * batch), [batch, 1, 1]),
      topP: float32(params.slice(2 * batch), [batch, 1, 1]),
    });
    tokens.push(...Array.from(made.tokens?.data ?? [], Number));
    since = made.next as TensorValue;
  }
  await session.release();
  return tokens;
}

const hash = (value: TensorValue | undefined) => Bun.hash(new Uint8Array(value?.data.slice().buffer ?? []));
const tokensOf = (outputs: Outputs) => Array.from(outputs.tokens?.data ?? [], Number);
const ALONE = int64([0, 0, 0, 0, 0], [5]);
let failed = 0;

function report(model: Model, check: string, ok: boolean, figures: Record<string, unknown>): void {
  if (!ok) failed++;
  say({ section: "dia loop", model: model.name, check, ok, ...figures });
}

/** Logits, attention and new keys of given tokens, against float32. */
async function exactness(model: Model, check: string, d: Dialogues): Promise<void> {
  const own = d.texts.map((_, b) => b);
  const native = await model.native.run({ ...feeds(model, d, own, true), cache: ALONE });
  const exact = await model.exact.run(feeds(model, d, own, false));
  const errors = {
    logits: d.frames === 0 ? 0 : distance(floatOutput(native, "logits"), floatOutput(exact, "logits")),
    alignment:
      d.frames === 0 ? 0 : distance(floatOutput(native, "alignment"), floatOutput(exact, "alignment")),
    newK: distance(halvesToFloats(native.new_k), halvesToFloats(exact.new_k)),
    newV: distance(halvesToFloats(native.new_v), halvesToFloats(exact.new_v)),
  };
  const sameTokens = String(tokensOf(native)) === String(tokensOf(exact));
  const sameEnd = String(native.ended?.data) === String(exact.ended?.data);
  const small = Object.values(errors).every((e) => e < 4e-3) && errors.logits < 2e-3;
  report(model, check, small && sameTokens && sameEnd, { ...errors, sameTokens, sameEnd });
}

/** Tokens are what the sampler's graph draws from the same logits; the run ends when all dialogues have. */
async function sampling(model: Model, check: string, d: Dialogues): Promise<void> {
  const own = d.texts.map((_, b) => b);
  const fed = feeds(model, d, own, true);
  const native = await model.native.run({ ...fed, cache: ALONE });
  const again = await drawnAgain(model, fed, native);
  const tokens = tokensOf(native);
  const frames = native.tokens?.shape[0] ?? 0;
  const last = (d.endAt ?? Number.POSITIVE_INFINITY) + own.length - 1 + model.config.maxDelay + 1;
  const expectedFrames = Math.min(d.frames, last);
  const wrong = tokens.findIndex((token, i) => token !== again[i]);
  const ok = wrong < 0 && tokens.length === again.length && frames <= expectedFrames;
  report(model, check, ok && (d.endAt === undefined || frames < d.frames), { frames, wrong });
}

/** Dialogues that were brought to the operator one by one, then made together. */
async function openedTogether(model: Model, d: Dialogues): Promise<Outputs> {
  const own = d.texts.map((_, b) => b);
  const { decoder: c } = model.config;
  for (const b of own)
    await model.native.run({
      ...feeds(model, { ...d, frames: 0 }, [b], true),
      cache: int64([9, 0, b, own.length, Math.max(...d.texts)], [5]),
    });
  const whole = feeds(model, { ...d, past: 0, prompt: 0 }, own, true);
  return model.native.run({
    ...whole,
    prompt: int64([], [own.length, 0, c.num_channels]),
    cache: int64([9, d.past + d.prompt, 0, 0, 0], [5]),
  });
}

/** A dialogue has the same bits in any company, and in one run or several. */
async function sameBits(model: Model, d: Dialogues): Promise<void> {
  const own = d.texts.map((_, b) => b);
  const together = await model.native.run({ ...feeds(model, d, own, true), cache: ALONE });
  const opened = await openedTogether(model, d);
  const sameOpened =
    hash(opened.logits) === hash(together.logits) && hash(opened.alignment) === hash(together.alignment);
  report(model, "opened one by one", sameOpened, { texts: d.texts });
  const withPrompt = { ...d, prompt: 3, past: 0, frames: 2 };
  const prompted = floatOutput(await openedTogether(model, withPrompt), "logits");
  const single = await model.native.run({ ...feeds(model, withPrompt, [0], true), cache: ALONE });
  const alone = floatOutput(single, "logits");
  const width = alone.length / 4;
  const samePrompt = [0, 1, 2, 3].every(
    (part) =>
      Bun.hash(alone.slice(part * width, (part + 1) * width).buffer) ===
      Bun.hash(prompted.slice(part * own.length * width, (part * own.length + 1) * width).buffer),
  );
  report(model, "a prompt alone and in company", samePrompt, {});
  const names = ["logits", "alignment"] as const;
  let equal = true;
  for (const b of own) {
    const alone = await model.native.run({ ...feeds(model, d, [b], true), cache: ALONE });
    for (const name of names) {
      const all = floatOutput(together, name);
      const one = floatOutput(alone, name);
      const width = name === "logits" ? one.length / (2 * d.frames) : Math.max(...d.texts);
      const ownWidth = name === "logits" ? width : (d.texts[b] ?? 0);
      const parts = name === "logits" ? 2 * d.frames : d.frames;
      for (let i = 0; i < parts; i++)
        for (let j = 0; j < ownWidth; j++)
          equal &&= all[(i * own.length + b) * width + j] === one[i * ownWidth + j];
    }
  }
  report(model, "a dialogue alone and in company", equal, { dialogues: own.length });

  const whole = feeds(model, d, own, true);
  const [first, second] = [Math.floor(d.frames / 3), d.frames - Math.floor(d.frames / 3)];
  const slice = (value: TensorValue | undefined, from: number, to: number): TensorValue => {
    if (!value) throw new Error("no such input");
    const size = value.data.length / d.frames;
    return {
      ...value,
      data: value.data.slice(from * size, to * size),
      shape: [to - from, ...value.shape.slice(1)],
    };
  };
  const part = (from: number, to: number) => ({
    ...whole,
    n: int64([to - from], []),
    forced: slice(whole.forced, from, to),
    gumbel: slice(whole.gumbel, from, to),
  });
  const one = await model.native.run({ ...part(0, first), cache: int64([5, 0, 0, 0, 0], [5]) });
  // A run that stands alone in between must leave the kept keys be.
  await model.native.run({ ...feeds(model, d, [0], true), cache: ALONE });
  const { decoder: c } = model.config;
  const none = {
    ...(whole.past_k as TensorValue),
    data: new Uint16Array(0),
    shape: [c.num_hidden_layers, 2 * own.length, c.num_key_value_heads, 0, c.head_dim],
  };
  const lastRow = tokensOf(one).slice(-own.length * c.num_channels);
  const two = await model.native.run({
    ...part(first, d.frames),
    prompt: int64([], [own.length, 0, c.num_channels]),
    tok: int64(lastRow, [own.length, c.num_channels]),
    ending: one.ended as TensorValue,
    past_k: none,
    past_v: none,
    cache: int64([5, d.past + d.prompt + first, 0, 0, 0], [5]),
  });
  const joined = Float32Array.from([...floatOutput(one, "logits"), ...floatOutput(two, "logits")]);
  const sameLogits = Bun.hash(joined.buffer) === hash(together.logits);
  const sameTokens = String([...tokensOf(one), ...tokensOf(two)]) === String(tokensOf(together));
  report(model, "one run and two", sameLogits && sameTokens, { first, second, sameLogits, sameTokens });
  const gone = await model.native.run({ ...part(0, 1), cache: int64([6, 3, 0, 0, 0], [5]) }).then(
    () => "no error",
    (error: unknown) => String(error),
  );
  report(model, "a cache that is gone", gone.includes("has taken the cache"), {});
}

for (const name of ["wide feed-forward", "odd sizes"] as const) {
  const model = await load(name);
  await exactness(model, "fresh", { texts: [40], past: 0, prompt: 0, frames: 3, forced: true });
  await exactness(model, "prompt", { texts: [150], past: 0, prompt: 5, frames: 2, forced: true });
  const nine = [33, 140, 60, 20, 25, 30, 35, 45, 50];
  await exactness(model, "past, nine", { texts: nine, past: 130, prompt: 0, frames: 1, forced: true });
  await exactness(model, "no frames", { texts: [40], past: 0, prompt: 3, frames: 0 });
  await sampling(model, "free", { texts: [40, 20, 30], past: 0, prompt: 0, frames: 5 });
  await sampling(model, "ending", { texts: [40, 20], past: 0, prompt: 0, frames: 40, endAt: 1 });
  await sameBits(model, { texts: [33, 140, 60, 20, 25], past: 126, prompt: 0, frames: 4 });
  await model.native.release();
  await model.exact.release();
}
say({ section: "dia loop", failed });
await rm(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
