import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Dim, GraphBuilder, op, type Value } from "../../src/graphs/builder/index.ts";
import {
  foldedUpsampleWeight,
  nativeAdaptedWeight,
  nativeGatedLinear,
  nativeGatedSilu,
  nativeGeglu,
  nativeGroupNorm,
  nativeInterleave,
  nativeLayerNorm,
  nativePartsFor,
  nativeResidual,
  nativeSkipGroupNorm,
  nativeTemporalAttention,
} from "../../src/graphs/target/native-kernels.ts";
import { fusedKernels, plainKernels } from "../../src/graphs/target/nhwc-kernels.ts";
import { givingBack, loadNativeOps } from "../../src/onnx/native-ops.ts";
import { createSession, type Feeds, float32, floatOutput } from "../../src/onnx/session.ts";
import { openWeights, type WeightSet } from "../../src/weights/weight-set.ts";
import { distance, say } from "./measure.ts";

/**
 * Holds each own operator (gpu-pool/native) against standard operators in float32 on the CPU, and times it beside
 * the provider's own: bun bench/gpu/ops.ts LIBRARY [--provider cuda|cpu] [--large]
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { provider: { type: "string", default: "cuda" }, large: { type: "boolean", default: false } },
});
const provider = values.provider === "cpu" ? "cpu" : "cuda";
const folder = await mkdtemp(join(tmpdir(), "ops-"));
const library = loadNativeOps(positionals[0]);
if (!library) throw new Error(`no library at ${positionals[0]}`);
const hopper = nativePartsFor(library.computeCapability()).includes("feedForward");

function random(count: number, seed: number, scale = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.fround(((state >>> 8) / 2 ** 23 - 1) * 1.7 * scale);
  });
}

/** A safetensors file of float16 weights, as real models have them. */
async function weightFile(shapes: Readonly<Record<string, readonly number[]>>): Promise<WeightSet> {
  const path = join(folder, `w${Math.random().toString(36).slice(2)}.safetensors`);
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((a, b) => a * b, 1);
    const around = name.endsWith("norm.weight") ? 1 : 0;
    const scale = shape.length > 1 ? 1 / Math.sqrt(count / (shape[0] ?? 1)) : 0.3;
    const halves = new Uint16Array(
      new Float16Array(random(count, name.length, scale).map((v) => v + around)).buffer,
    );
    header[name] = { dtype: "F16", shape, data_offsets: [offset, offset + 2 * count] };
    offset += 2 * count;
    parts.push(new Uint8Array(halves.buffer));
  }
  let text = JSON.stringify(header);
  text += " ".repeat(63 - ((text.length + 7) % 64));
  const size = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  await writeFile(path, Buffer.concat([size, new TextEncoder().encode(text), ...parts]));
  return openWeights([path]);
}

type Build = (g: GraphBuilder, inputs: readonly Value[]) => Value[];

interface Case {
  readonly name: string;
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly inputs: readonly (readonly number[])[];
  readonly native: Build;
  /** Standard operators in float32. */
  readonly plain: Build;
  /** What the CUDA provider has for it. */
  readonly stock?: Build;
}

const TIMES = 30;

async function run(
  one: Case,
  build: Build,
  kind: "float16" | "float32",
  where: "cuda" | "cpu",
  timed: boolean,
) {
  const weights = await weightFile(one.weights);
  const g = new GraphBuilder({ weights, dtype: kind });
  // What is timed is not the upload: a few rows come from the host and are repeated on the GPU.
  const shapes = one.inputs.map((shape) => (timed ? [1, ...shape.slice(-2)] : shape));
  const inputs = shapes.map((shape, i) => {
    const x = op.cast(g, g.input(`x${i}`, "float32", shape), kind);
    const whole = one.inputs[i] ?? shape;
    const repeats = count(whole) / count(shape);
    return timed ? op.reshape(g, op.expand(g, x, [repeats, ...shape.slice(1)]), whole) : x;
  });
  const made = build(g, inputs);
  // Only a few numbers of each result leave the GPU while it is timed.
  for (const [i, value] of made.entries()) {
    const wide = op.cast(g, value, "float32");
    const shown = timed ? op.slice(g, op.reshape(g, wide, [count(value.shape)]), 0, 0, 8) : wide;
    g.output(`y${i}`, shown);
  }
  const session = await createSession(g.build("op"), join(folder, "cache"), {
    provider: where,
    memoryPattern: false,
  });
  const feeds: Feeds = Object.fromEntries(
    shapes.map((shape, i) => [`x${i}`, float32(halved(random(count(shape), i + 7)), shape)]),
  );
  const results: Float32Array[] = [];
  let best = Number.POSITIVE_INFINITY;
  const hashes = new Set<string>();
  for (let i = 0; i < (timed ? TIMES : 3); i++) {
    const start = performance.now();
    const outputs = await session.run(feeds);
    best = Math.min(best, performance.now() - start);
    results.splice(0, 9, ...made.map((_, o) => floatOutput(outputs, `y${o}`)));
    hashes.add(results.map((r) => Bun.hash(r.buffer as ArrayBuffer)).join());
  }
  await session.release();
  return { results, best, stable: hashes.size === 1 };
}

const count = (shape: readonly Dim[]) => shape.reduce<number>((a, b) => a * Number(b), 1);
const halved = (x: Float32Array) => new Float32Array(new Float16Array(x));

const norm = (silu: boolean) => ({ groups: 32, epsilon: 1e-5, silu });
const fused = fusedKernels();

function swapped(
  g: GraphBuilder,
  x: Value,
  clips: number,
  frames: number,
  pixels: number,
  back = false,
): Value {
  const shape = back
    ? [clips, pixels, frames, x.shape.at(-1) ?? 1]
    : [clips, frames, pixels, x.shape.at(-1) ?? 1];
  return op.reshape(g, op.transpose(g, op.reshape(g, x, shape), [0, 2, 1, 3]), x.shape);
}

function cases(): Case[] {
  const large = values.large;
  const sizes: [number, number, number, number][] = large
    ? [
        [2, 16, 128, 320],
        [2, 16, 64, 640],
        [2, 16, 32, 1280],
        [2, 16, 32, 2560],
        [2, 16, 128, 960],
      ]
    : [
        [2, 3, 6, 64],
        [1, 16, 3, 320],
        [1, 24, 2, 640],
        [1, 32, 2, 64],
        [1, 2, 10, 320],
        [1, 3, 17, 128],
        [2, 2, 5, 1280],
        [1, 1, 4, 1920],
        [1, 1, 33, 128],
      ];
  const all: Case[] = [];
  for (const [clips, frames, side, c] of sizes) {
    const n = clips * frames;
    const pixels = side * side;
    const map = [n, side, side, c];
    const tag = `[${n},${side},${side},${c}]`;
    const affine = { "norm.weight": [c], "norm.bias": [c], bias: [c] };
    const view = (g: GraphBuilder, x: Value) => op.reshape(g, x, [clips, frames * side, side, c]);
    all.push({
      name: `GroupNorm, shift and bias ${tag}`,
      weights: affine,
      inputs: [map, [n, c]],
      native: (g, [x, t]) => [nativeGroupNorm(g, x as Value, "norm", norm(true), {}, t, g.weight("bias"))],
      plain: (g, [x, t]) => [
        plainKernels.shiftedGroupNorm(g, x as Value, "norm", t as Value, g.weight("bias"), norm(true)),
      ],
      stock: (g, [x, t]) => [
        fused.shiftedGroupNorm(g, x as Value, "norm", t as Value, g.weight("bias"), norm(true)),
      ],
    });
    all.push({
      name: `SkipGroupNorm, from (pixel, frame) ${tag}`,
      weights: affine,
      inputs: [map, map],
      native: (g, [x, s]) => {
        const both = nativeSkipGroupNorm(g, x as Value, "norm", s as Value, g.weight("bias"), norm(true), {
          in: frames,
        });
        return [both.normed, both.sum];
      },
      plain: (g, [x, s]) => {
        const y = swapped(g, x as Value, clips, frames, pixels, true);
        const both = plainKernels.skipGroupNorm(g, y, "norm", s as Value, g.weight("bias"), norm(true));
        return [both.normed, both.sum];
      },
      stock: (g, [x, s]) => {
        const y = swapped(g, x as Value, clips, frames, pixels, true);
        const both = fused.skipGroupNorm(g, y, "norm", s as Value, g.weight("bias"), norm(true));
        return [both.normed, both.sum];
      },
    });
    const clip =
      (form: "native" | "plain" | "stock"): Build =>
      (g, [x, s]) => {
        const [a, b] = [view(g, x as Value), view(g, s as Value)];
        if (form === "native") {
          const both = nativeSkipGroupNorm(g, a, "norm", b, g.weight("bias"), norm(false), {
            out: frames,
            clip: true,
          });
          return [both.normed, both.sum];
        }
        const kernels = form === "plain" ? plainKernels : fused;
        const both = kernels.skipGroupNorm(g, a, "norm", b, g.weight("bias"), norm(false));
        return [swapped(g, both.normed, clips, frames, pixels), both.sum];
      };
    all.push({
      name: `SkipGroupNorm of clips, to (pixel, frame) ${tag}`,
      weights: affine,
      inputs: [map, map],
      native: clip("native"),
      plain: clip("plain"),
      stock: clip("stock"),
    });
    if (c > 1280) continue;
    const tokens = [clips * pixels, frames, c];
    const layer =
      (form: "native" | "plain" | "stock"): Build =>
      (g, [x, s, p]) => {
        const bias = g.weight("bias");
        if (form === "native") {
          const both = nativeLayerNorm(g, x as Value, "norm", 1e-5, { skip: s, bias, position: p });
          return [both.normed, both.sum];
        }
        if (form === "plain") {
          const sum = op.add(g, op.add(g, x as Value, bias), s as Value);
          const inputs = [sum, g.weight("norm.weight"), g.weight("norm.bias")];
          const y = g.node("LayerNormalization", inputs, {}, { axis: { i: -1 }, epsilon: { f: 1e-5 } });
          return [op.add(g, y, p as Value), sum];
        }
        const like = { dtype: g.dtype, shape: (x as Value).shape };
        const inputs = [x as Value, s as Value, g.weight("norm.weight"), g.weight("norm.bias"), bias];
        const attributes = { epsilon: { f: 1e-5 } };
        const [y, , , sum] = g.nodes(
          "SkipLayerNormalization",
          inputs,
          [like, undefined, undefined, like],
          attributes,
          "com.microsoft",
        );
        return [op.add(g, y as Value, p as Value), sum as Value];
      };
    all.push({
      name: `LayerNorm with positions [${tokens}]`,
      weights: affine,
      inputs: [tokens, tokens, [frames, c]],
      native: layer("native"),
      plain: layer("plain"),
      stock: layer("stock"),
    });
    const scale = 1 / Math.sqrt(c / 8);
    const split = (g: GraphBuilder, x: Value, order: number[]) =>
      op.transpose(g, op.reshape(g, x, [clips * pixels, frames, 8, c / 8]), order);
    const packed = (g: GraphBuilder, x: Value) => op.reshape(g, x, [(clips * pixels) / 4, 4 * frames, c]);
    all.push({
      name: `TemporalAttention [${tokens}]`,
      weights: {},
      inputs: [tokens, tokens, tokens],
      native: (g, [q, k, v]) => [nativeTemporalAttention(g, q as Value, k as Value, v as Value, 8)],
      plain: (g, [q, k, v]) => {
        const scores = op.matmul(g, split(g, q as Value, [0, 2, 1, 3]), split(g, k as Value, [0, 2, 3, 1]));
        const shares = op.softmax(g, op.mul(g, scores, op.scalar(g, scale, scores)));
        const mixed = op.matmul(g, shares, split(g, v as Value, [0, 2, 1, 3]));
        return [op.reshape(g, op.transpose(g, mixed, [0, 2, 1, 3]), tokens)];
      },
      stock: (g, values) => {
        const mask = Float32Array.from({ length: (4 * frames) ** 2 }, (_, i) => {
          const [row, column] = [Math.floor(i / (4 * frames)), i % (4 * frames)];
          return Math.floor(row / frames) === Math.floor(column / frames) ? 0 : -1e4;
        });
        const [q, k, v] = values.map((x) => packed(g, x));
        const inputs = [q, k, v, undefined, undefined, op.floats(g, mask, [1, 1, 4 * frames, 4 * frames])];
        return [g.node("MultiHeadAttention", inputs, {}, { num_heads: { i: 8 } }, "com.microsoft")];
      },
    });
    all.push({
      name: `GeGlu [${clips * pixels},${frames},${8 * c}]`,
      weights: { bias: [8 * c] },
      inputs: [large ? [(n * pixels) / 4, 8 * c] : [clips * pixels, frames, 8 * c]],
      native: (g, [x]) => [nativeGeglu(g, x as Value, g.weight("bias"))],
      plain: (g, [x]) => [plainKernels.biasSplitGelu(g, x as Value, g.weight("bias"))],
      stock: (g, [x]) => [fused.biasSplitGelu(g, x as Value, g.weight("bias"))],
    });
    if (provider === "cpu" || hopper) {
      const rows = large ? [n * pixels, c] : tokens;
      const inner = 4 * c;
      const gated = { "up.weight": [2 * inner, c], "up.bias": [2 * inner] };
      const split =
        (kernels: typeof fused): Build =>
        (g, [x]) => [
          kernels.biasSplitGelu(
            g,
            op.matmulTransposed(g, x as Value, g.weight("up.weight")),
            g.weight("up.bias"),
          ),
        ];
      all.push({
        name: `GatedLinear [${rows}] to ${inner}`,
        weights: gated,
        inputs: [rows],
        native: (g, [x]) => [
          nativeGatedLinear(g, x as Value, g.weight("up.weight"), g.weight("up.bias"), inner),
        ],
        plain: split(plainKernels),
        stock: split(fused),
      });
    }
    all.push({
      name: `GatedSilu [${n},${2 * c}]`,
      weights: {},
      inputs: [[n, 2 * c]],
      native: (g, [x]) => [nativeGatedSilu(g, x as Value)],
      plain: (g, [x]) => {
        const [gate, up] = op.split(g, x as Value, 2, -1);
        return [op.mul(g, op.mul(g, gate as Value, op.unary(g, "Sigmoid", gate as Value)), up as Value)];
      },
    });
    all.push({
      name: `Residual, from (pixel, frame) ${tag}`,
      weights: { bias: [c] },
      inputs: [map, map],
      native: (g, [x, s]) => [nativeResidual(g, x as Value, g.weight("bias"), s as Value, frames)],
      plain: (g, [x, s]) => {
        const y = swapped(g, x as Value, clips, frames, pixels, true);
        return [op.add(g, op.add(g, y, g.weight("bias")), s as Value)];
      },
    });
    all.push(adaptedWeight(c, large ? 1280 : (side + 1) * 24, 32));
    if (c > (large ? 1280 : 320) || c < 64 || (large && side > 64)) continue;
    const out = [n, 2 * side, 2 * side, c];
    all.push({
      name: `enlarging convolution ${tag}`,
      weights: { "up.weight": [c, c, 3, 3], "up.bias": [c] },
      inputs: [map],
      native: (g, [x]) => {
        const kernels = provider === "cpu" ? plainKernels : fused;
        const phases = kernels.conv2x2(g, x as Value, foldedUpsampleWeight(g, "up"), 4 * c);
        return [nativeInterleave(g, phases, g.weight("up.bias"), out)];
      },
      plain: (g, [x]) => [
        plainKernels.conv(
          g,
          enlarge(g, x as Value),
          "up",
          { outChannels: c, kernel: 3 },
          g.weight("up.bias"),
        ),
      ],
      stock: (g, [x]) => [
        fused.conv(g, enlarge(g, x as Value), "up", { outChannels: c, kernel: 3 }, g.weight("up.bias")),
      ],
    });
  }
  // Rows of no eights, as those of the first convolution; more ranks than a step; none.
  return [...all, adaptedWeight(36, 320, 16), adaptedWeight(200, 70, 48), adaptedWeight(64, 64, 0)];
}

/** One layer of several whose matrices lie together: [out, width] with a LoRA. */
function adaptedWeight(width: number, out: number, rank: number): Case {
  const [columnsBefore, rowsBefore] = [24, 40];
  const part = (g: GraphBuilder, x: Value, from: number, shape: number[]) =>
    op.reshape(g, op.slice(g, op.reshape(g, x, [count(x.shape)]), 0, from, from + count(shape)), shape);
  return {
    name: `AdaptedWeight [${out},${width}] of rank ${rank}`,
    weights: { "layer.weight": [out, width] },
    inputs: [
      [rank, columnsBefore + width + 8],
      [rowsBefore + out + 3, rank],
    ],
    native: (g, [a, b]) => {
      const matrices = { a: a as Value, b: b as Value, columnsBefore, rowsBefore };
      return [nativeAdaptedWeight(g, g.weight("layer.weight"), matrices)];
    },
    plain: (g, [a, b]) => {
      const weight = g.weight("layer.weight");
      if (rank === 0) return [g.node("Identity", [weight])];
      const left = part(g, b as Value, rank * rowsBefore, [out, rank]);
      const right = part(g, a as Value, rank * columnsBefore, [rank, width]);
      return [op.add(g, weight, op.matmul(g, left, right))];
    },
    stock: (g, [a, b]) => {
      const left = part(g, b as Value, rank * rowsBefore, [out, rank]);
      const right = part(g, a as Value, rank * columnsBefore, [rank, width]);
      return [g.node("Gemm", [left, right, g.weight("layer.weight")], { shape: [out, width] })];
    },
  };
}

function enlarge(g: GraphBuilder, x: Value): Value {
  const [n = 1, h = 1, w = 1, c = 1] = x.shape;
  const attributes = {
    mode: { s: "nearest" },
    coordinate_transformation_mode: { s: "asymmetric" },
    nearest_mode: { s: "floor" },
  };
  const scales = op.floats(g, [1, 2, 2, 1], [4], "float32");
  return g.node(
    "Resize",
    [x, undefined, scales],
    { shape: [n, 2 * Number(h), 2 * Number(w), c] },
    attributes,
  );
}

/** A session on the CPU has no arena on the GPU to give back: it runs as ever. */
async function runsWhileGivingBack(): Promise<boolean> {
  const g = new GraphBuilder();
  g.output("twice", op.add(g, g.input("x", "float32", [2]), op.floats(g, [1, 2], [2])));
  const session = await createSession(g.build("giving-back"), join(folder, "cache"));
  try {
    const feeds = { x: float32(Float32Array.of(1, 2), [2]) };
    const outputs = await givingBack(() => session.run(feeds));
    return floatOutput(outputs, "twice").join() === "2,4";
  } finally {
    await session.release();
  }
}

let failed = 0;
const unmoved = await runsWhileGivingBack().catch(() => false);
if (!unmoved) failed++;
say({ op: "giveBack, beside a session on the CPU", ok: unmoved });
for (const one of cases()) {
  try {
    const reference = values.large ? undefined : await run(one, one.plain, "float32", "cpu", false);
    const native = await run(one, one.native, "float16", provider, values.large);
    const stock =
      provider === "cuda" && values.large && one.stock
        ? await run(one, one.stock, "float16", provider, true)
        : undefined;
    const errors = reference?.results.map((r, i) => distance(native.results[i] ?? new Float32Array(), r));
    const ok = errors === undefined || (errors.every((e) => e < 2e-3) && native.stable);
    if (!ok) failed++;
    say({
      op: one.name,
      ok,
      errors,
      stable: native.stable,
      ms: values.large ? native.best : undefined,
      stockMs: stock?.best,
    });
  } catch (error) {
    failed++;
    say({ op: one.name, ok: false, error: String(error).slice(0, 400) });
  }
}
say({ section: "ops", failed });
await rm(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
