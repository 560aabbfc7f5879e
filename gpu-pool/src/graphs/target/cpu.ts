import { type Dim, divDim, type GraphBuilder, mulDims, op, type Value } from "../builder/index.ts";
import { adaptedConvWeight } from "./adapted-weights.ts";
import type {
  AttentionOptions,
  ConvOptions,
  FeatureMap,
  GroupNormOptions,
  LinearOptions,
  LoraScope,
  Target,
  TargetOps,
} from "./target.ts";

/**
 * The CPU target: float32, images as [N, C, H, W] (the layout of MLAS convolutions), biases added where
 * they arise.
 */
export const cpuTarget: Target = {
  name: "cpu",
  dtype: "float32",
  bind: (g, { lora }) => ({ ...tokenOps(g, lora), ...imageOps(g, lora), ...clipOps(g) }),
};

const CONTRIB = "com.microsoft";

/** Rows `[from, to)` of a linear layer's weight and bias. */
type Rows = readonly [number, number];

/**
 * The weight of a linear layer, as W + B @ A where the layer has LoRA inputs: on the weight side, because
 * that is far cheaper than two products over all tokens.
 */
function weights(g: GraphBuilder, path: string, rows: Rows | undefined, lora: LoraInputs | undefined): Value {
  const { shape } = g.weights.get(`${path}.weight`);
  const [from, to] = rows ?? [0, shape[0] ?? 0];
  const matrix = [to - from, shape[1] ?? 0];
  const plain = () => g.weight(`${path}.weight`, { shape: matrix, rows });
  if (!lora) return plain();
  return g.early(() => {
    const weight = plain();
    const b = rows ? op.slice(g, lora.b, 0, from, to) : lora.b;
    return g.node("Gemm", [b, lora.a, weight], { shape: matrix });
  });
}

interface LoraInputs {
  readonly a: Value;
  readonly b: Value;
}

/** `x @ W.T + b` as one Gemm over all rows, so that the bias costs no pass of its own. */
function gemm(g: GraphBuilder, x: Value, path: string, rows?: Rows, lora?: LoraInputs): Value {
  const weight = weights(g, path, rows, lora);
  const bias = g.weights.has(`${path}.bias`) ? [g.weight(`${path}.bias`, { rows })] : [];
  const [out = 0] = weight.shape;
  const flat = op.flatten(g, x, 0, x.shape.length - 1);
  const shape = [flat.shape[0] ?? 1, out];
  const product = g.node("Gemm", [flat, weight, ...bias], { shape }, { transB: { i: 1 } });
  return op.reshape(g, product, [...x.shape.slice(0, -1), out]);
}

function tokenOps(g: GraphBuilder, scope: LoraScope) {
  const adapters = (path: string, wanted: LinearOptions["lora"]): LoraInputs | undefined => {
    if (!wanted || !scope || (wanted === "convolutions" && scope !== wanted)) return undefined;
    const { shape } = g.weights.get(`${path}.weight`);
    return g.loraInputs(path, shape[1] ?? 0, shape[0] ?? 0);
  };
  const linear = (x: Value, path: string, options?: LinearOptions): Value =>
    gemm(g, x, path, undefined, adapters(path, options?.lora));
  const silu = (x: Value): Value => g.node("QuickGelu", [x], {}, { alpha: { f: 1 } }, CONTRIB);
  const settle: TargetOps["settle"] = (stream) => {
    stream.settled ??= stream.skip ? op.add(g, stream.result, stream.skip) : stream.result;
    return stream.settled;
  };
  return {
    g,
    linear,
    silu,
    settle,
    linearDeferred: (x: Value, path: string, options?: LinearOptions) => ({
      result: linear(x, path, options),
    }),
    layerNorm(stream, path, epsilon, position) {
      const sum = settle(stream);
      const inputs = [sum, g.weight(`${path}.weight`), g.weight(`${path}.bias`)];
      const attributes = { axis: { i: -1 }, epsilon: { f: epsilon } };
      const normed = g.node("LayerNormalization", inputs, {}, attributes);
      return { normed: position ? op.add(g, normed, position) : normed, sum };
    },
    attention(q: Value, k: Value, v: Value, { heads, causal }: AttentionOptions): Value {
      const attributes = { num_heads: { i: heads }, unidirectional: { i: causal ? 1 : 0 } };
      return g.node("MultiHeadAttention", [q, k, v], {}, attributes, CONTRIB);
    },
    feedForward(x: Value, path: string) {
      const up = `${path}.net.0.proj`;
      const out = g.weights.get(`${up}.weight`).shape[0] ?? 0;
      const lora = adapters(up, true);
      const value = gemm(g, x, up, [0, out / 2], lora);
      const gate = gemm(g, x, up, [out / 2, out], lora);
      const inner = op.mul(g, value, g.node("Gelu", [gate], {}, {}, CONTRIB));
      return { result: linear(inner, `${path}.net.2`, { lora: true }) };
    },
  } satisfies Partial<TargetOps>;
}

/** Group norm of [N, C, ...] by way of InstanceNormalization over [N, groups, rest]. */
function groupNorm(
  g: GraphBuilder,
  x: Value,
  path: string,
  { groups, epsilon, silu }: GroupNormOptions,
): Value {
  const channels = x.shape[1];
  if (typeof channels !== "number") throw new Error("the number of channels must be known");
  const rest = mulDims(...x.shape.slice(2), divDim(channels, groups));
  const ones = op.floats(g, new Float32Array(groups).fill(1), [groups]);
  const zeros = op.floats(g, new Float32Array(groups), [groups]);
  const grouped = op.reshape(g, x, [x.shape[0] ?? 1, groups, rest]);
  const flat = g.node("InstanceNormalization", [grouped, ones, zeros], {}, { epsilon: { f: epsilon } });
  const perChannel = [channels, ...x.shape.slice(2).map(() => 1)];
  const scaled = op.mul(g, op.reshape(g, flat, x.shape), g.weight(`${path}.weight`, { shape: perChannel }));
  const shifted = op.add(g, scaled, g.weight(`${path}.bias`, { shape: perChannel }));
  return silu ? g.node("QuickGelu", [shifted], {}, { alpha: { f: 1 } }, CONTRIB) : shifted;
}

function imageMap(value: Value): FeatureMap {
  const [batch = 1, channels, height = 1, width = 1] = value.shape;
  if (typeof channels !== "number") throw new Error("the number of channels must be known");
  return { value, batch, channels, height, width };
}

function convWeight(g: GraphBuilder, path: string, scope: LoraScope): Value {
  return scope === "convolutions" ? adaptedConvWeight(g, path) : g.weight(`${path}.weight`);
}

function conv(
  g: GraphBuilder,
  map: FeatureMap,
  path: string,
  options: ConvOptions,
  scope: LoraScope,
): FeatureMap {
  const { kernel, stride = 1, padding = "same", outChannels } = options;
  const around = kernel === 3 ? 1 : 0;
  const pads = padding === "same" ? [around, around, around, around] : [0, 0, 1, 1];
  const inputs = [map.value, convWeight(g, path, scope), g.weight(`${path}.bias`)];
  const shape = [map.batch, outChannels, divDim(map.height, stride), divDim(map.width, stride)];
  const value = g.node(
    "Conv",
    inputs,
    { shape },
    {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [stride, stride] },
      pads: { ints: pads },
    },
  );
  return imageMap(value);
}

function imageOps(g: GraphBuilder, scope: LoraScope) {
  const settleMap: TargetOps["settleMap"] = (stream) => {
    stream.settled ??= stream.skip
      ? imageMap(op.add(g, stream.result.value, stream.skip.value))
      : stream.result;
    return stream.settled;
  };
  return {
    settleMap,
    fromImages: (x: Value) => imageMap(x),
    toImages: (map: FeatureMap) => map.value,
    conv: (map: FeatureMap, path: string, options: ConvOptions) => conv(g, map, path, options, scope),
    convDeferred: (map: FeatureMap, path: string, options: ConvOptions) => ({
      result: conv(g, map, path, options, scope),
    }),
    groupNorm(stream, path, options) {
      const sum = settleMap(stream);
      return { normed: imageMap(groupNorm(g, sum.value, path, options)), sum };
    },
    groupNormShifted(x, shift, path, options) {
      const value = shift ? op.add(g, x.result.value, op.unsqueeze(g, shift, [2, 3])) : x.result.value;
      return imageMap(groupNorm(g, value, path, options));
    },
    concatChannels: (a: FeatureMap, b: FeatureMap) => imageMap(op.concat(g, [a.value, b.value], 1)),
    upsampledConv({ value, batch, channels, height, width }: FeatureMap, path: string, outChannels: number) {
      const shape = [batch, channels, mulDims(2, height), mulDims(2, width)];
      const scales = op.floats(g, [1, 1, 2, 2], [4], "float32");
      const attributes = {
        mode: { s: "nearest" },
        coordinate_transformation_mode: { s: "asymmetric" },
        nearest_mode: { s: "floor" },
      };
      const large = imageMap(g.node("Resize", [value, undefined, scales], { shape }, attributes));
      return conv(g, large, path, { outChannels, kernel: 3 }, scope);
    },
    toTokens: ({ value }: FeatureMap) => op.transpose(g, op.flatten(g, value, 2, 4), [0, 2, 1]),
    fromTokens(tokens: Value, { batch, channels, height, width }: FeatureMap) {
      const planes = op.transpose(g, tokens, [0, 2, 1]);
      return imageMap(op.reshape(g, planes, [batch, channels, height, width]));
    },
  } satisfies Partial<TargetOps>;
}

function clipOps(g: GraphBuilder) {
  return {
    fromVideo: (x: Value) => imageMap(op.flatten(g, op.transpose(g, x, [0, 2, 1, 3, 4]), 0, 2)),
    toVideo({ value, channels, height, width }: FeatureMap, batch: Dim, frames: Dim) {
      return op.transpose(g, op.reshape(g, value, [batch, frames, channels, height, width]), [0, 2, 1, 3, 4]);
    },
    clipNorm(stream, path, batch, frames, options) {
      const sum = imageOps(g, false).settleMap(stream);
      const { channels, height, width } = sum;
      const pixels = mulDims(height, width);
      const clip = op.reshape(g, sum.value, [batch, frames, channels, pixels]);
      const normed = groupNorm(g, op.transpose(g, clip, [0, 2, 1, 3]), path, options);
      const overTime = op.transpose(g, normed, [0, 3, 2, 1]);
      return { normed: op.reshape(g, overTime, [mulDims(batch, pixels), frames, channels]), sum };
    },
    fromTimeTokens(tokens: Value, like: FeatureMap, batch: Dim, frames: Dim) {
      const { channels, height, width } = like;
      const pixels = mulDims(height, width);
      const overTime = op.reshape(g, tokens, [batch, pixels, frames, channels]);
      const planes = op.transpose(g, overTime, [0, 2, 3, 1]);
      return imageMap(op.reshape(g, planes, [like.batch, channels, height, width]));
    },
  } satisfies Partial<TargetOps>;
}
