import { type Dim, divDim, type GraphBuilder, mulDims, op, type Value } from "../builder/index.ts";
import type {
  AttentionOptions,
  ConvOptions,
  FeatureMap,
  GroupNormOptions,
  LinearOptions,
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
  bind: (g, { lora }) => ({ ...tokenOps(g, lora), ...imageOps(g), ...clipOps(g) }),
};

const CONTRIB = "com.microsoft";

/** W + B @ A on the weight side: far cheaper than two products over all tokens. */
function adaptedWeight(g: GraphBuilder, path: string, lora: boolean): Value {
  const { shape } = g.weights.get(`${path}.weight`);
  const matrix: [number, number] = [shape[0] ?? 0, shape[1] ?? 0];
  const weight = g.weight(`${path}.weight`, { shape: matrix });
  if (!lora) return weight;
  const { a, b } = g.loraInputs(path, matrix[1], matrix[0]);
  return g.node("Gemm", [b, a, weight], { shape: matrix });
}

function tokenOps(g: GraphBuilder, loraInputs: boolean) {
  const linear = (x: Value, path: string, { lora = false }: LinearOptions = {}): Value => {
    const product = op.matmulTransposed(g, x, adaptedWeight(g, path, lora && loraInputs));
    return g.weights.has(`${path}.bias`) ? op.add(g, product, g.weight(`${path}.bias`)) : product;
  };
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
    layerNorm(stream, path, epsilon) {
      const scale = g.weight(`${path}.weight`);
      const bias = g.weight(`${path}.bias`);
      if (stream.settled || !stream.skip) {
        const sum = settle(stream);
        const attributes = { axis: { i: -1 }, epsilon: { f: epsilon } };
        return { normed: g.node("LayerNormalization", [sum, scale, bias], {}, attributes), sum };
      }
      const out = { dtype: stream.result.dtype, shape: stream.result.shape };
      const [normed, , , sum] = g.nodes(
        "SkipLayerNormalization",
        [stream.result, stream.skip, scale, bias],
        [out, undefined, undefined, out],
        { epsilon: { f: epsilon } },
        CONTRIB,
      );
      if (!normed || !sum) throw new Error("SkipLayerNormalization made no output");
      stream.settled = sum;
      return { normed, sum };
    },
    attention(q: Value, k: Value, v: Value, { heads, causal }: AttentionOptions): Value {
      const attributes = { num_heads: { i: heads }, unidirectional: { i: causal ? 1 : 0 } };
      return g.node("MultiHeadAttention", [q, k, v], {}, attributes, CONTRIB);
    },
    geglu(x: Value, path: string, options?: LinearOptions): Value {
      const [value, gate] = op.split(g, linear(x, path, options), 2, -1);
      if (!value || !gate) throw new Error("Split made no output");
      return op.mul(g, value, g.node("Gelu", [gate], {}, {}, CONTRIB));
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

function conv(g: GraphBuilder, map: FeatureMap, path: string, options: ConvOptions): FeatureMap {
  const { kernel, stride = 1, padding = "same", outChannels } = options;
  const around = kernel === 3 ? 1 : 0;
  const pads = padding === "same" ? [around, around, around, around] : [0, 0, 1, 1];
  const inputs = [map.value, g.weight(`${path}.weight`), g.weight(`${path}.bias`)];
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

function imageOps(g: GraphBuilder) {
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
    conv: (map: FeatureMap, path: string, options: ConvOptions) => conv(g, map, path, options),
    convDeferred: (map: FeatureMap, path: string, options: ConvOptions) => ({
      result: conv(g, map, path, options),
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
    upsample({ value, batch, channels, height, width }: FeatureMap) {
      const shape = [batch, channels, mulDims(2, height), mulDims(2, width)];
      const scales = op.floats(g, [1, 1, 2, 2], [4], "float32");
      const attributes = {
        mode: { s: "nearest" },
        coordinate_transformation_mode: { s: "asymmetric" },
        nearest_mode: { s: "floor" },
      };
      return imageMap(g.node("Resize", [value, undefined, scales], { shape }, attributes));
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
      const sum = imageOps(g).settleMap(stream);
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
