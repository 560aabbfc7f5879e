import {
  type Dim,
  divDim,
  elementCount,
  type GraphBuilder,
  mulDims,
  op,
  type Value,
} from "../builder/index.ts";
import { adaptedConvWeight, adaptedRows } from "./adapted-weights.ts";
import {
  type FrameOrder,
  fitsGatedLinear,
  fitsNativeAttention,
  fitsNativeNorm,
  foldedUpsampleWeight,
  type NativePart,
  nativeGatedLinear,
  nativeGeglu,
  nativeGroupNorm,
  nativeInterleave,
  nativeLayerNorm,
  nativeResidual,
  nativeSkipGroupNorm,
  nativeTemporalAttention,
} from "./native-kernels.ts";
import { type NhwcKernels, planarConv } from "./nhwc-kernels.ts";
import type {
  AttentionOptions,
  ConvOptions,
  Deferred,
  FeatureMap,
  GroupNormOptions,
  LinearOptions,
  LoraScope,
  Residual,
  TargetOps,
} from "./target.ts";

/**
 * Operators for images that lie as [N, H, W, C]. Biases and residuals are carried along and added inside
 * the norm that follows; 1x1 convolutions are matrix products on the same bytes.
 */
export interface NhwcOptions {
  readonly lora: LoraScope;
  readonly kernels: NhwcKernels;
  /** Pixels whose frames share one row of temporal attention; divides B*h*w at every resolution. */
  readonly temporalPacking: number;
  /** Parts in which motion feed-forwards run, to bound the largest tensor. */
  readonly feedForwardChunks: number;
  /** What the own operators compute. */
  readonly native: ReadonlySet<NativePart>;
}

/** A map whose rows are ordered (pixel, frame) inside each clip of `overTime` frames, until something reads it. */
interface NhwcMap extends FeatureMap {
  readonly overTime?: number;
}

const CONTRIB = "com.microsoft";

export function nhwcOps(g: GraphBuilder, options: NhwcOptions): TargetOps {
  return {
    g,
    ...linearOps(g, options),
    ...attentionOps(g, options),
    ...mapOps(g, options),
    ...clipOps(g, options),
  };
}

/** The weight of a linear layer, or of a 1x1 convolution [out, in, 1, 1], as a matrix [out, in]. */
function matrix(g: GraphBuilder, path: string): Value {
  const [out = 0, width = 0] = g.weights.get(`${path}.weight`).shape;
  return g.weight(`${path}.weight`, { shape: [out, width] });
}

function biasOf(g: GraphBuilder, path: string): Value | undefined {
  return g.weights.has(`${path}.bias`) ? g.weight(`${path}.bias`) : undefined;
}

/** Adds what is left to add. */
function settleValue(g: GraphBuilder, kernels: NhwcKernels, stream: Residual<Value>): Value {
  if (!stream.settled) {
    const { result, bias, skip } = stream;
    if (bias && skip) stream.settled = kernels.biasAdd(g, result, bias, skip);
    else stream.settled = bias || skip ? op.add(g, result, (bias ?? skip) as Value) : result;
  }
  return stream.settled;
}

/** Layer norm that also adds the bias and the residual of its input. */
function skipLayerNorm(g: GraphBuilder, stream: Residual<Value>, path: string, epsilon: number) {
  const { result, skip, bias } = stream;
  const norm = [g.weight(`${path}.weight`), g.weight(`${path}.bias`)];
  const width = result.shape.at(-1) ?? 1;
  // Without a residual the bias itself is the skip: rows as [M, 1, C] against [1, 1, C].
  const alone = !skip && bias !== undefined;
  const rows = alone ? op.reshape(g, result, [mulDims(...result.shape.slice(0, -1)), 1, width]) : result;
  const added = alone ? [op.reshape(g, bias, [1, 1, width]), ...norm] : [skip, ...norm, bias];
  const out = { dtype: rows.dtype, shape: rows.shape };
  const [normed, , , sum] = g.nodes(
    "SkipLayerNormalization",
    [rows, ...added],
    [out, undefined, undefined, out],
    { epsilon: { f: epsilon } },
    CONTRIB,
  );
  if (!normed || !sum) throw new Error("SkipLayerNormalization made no output");
  const restore = (x: Value) => (alone ? op.reshape(g, x, result.shape) : x);
  return { normed: restore(normed), sum: restore(sum) };
}

function linearOps(g: GraphBuilder, { lora: loraInputs, kernels, feedForwardChunks, native }: NhwcOptions) {
  const adapted = (path: string, lora: LinearOptions["lora"]): Value => {
    const fixed = !lora || !loraInputs || (lora === "convolutions" && loraInputs !== lora);
    return fixed ? matrix(g, path) : adaptedRows(g, path, native.has("lora"));
  };
  const product = (x: Value, path: string, options?: LinearOptions): Value =>
    op.matmulTransposed(g, x, adapted(path, options?.lora));
  const linear = (x: Value, path: string, options?: LinearOptions): Value => {
    const bias = biasOf(g, path);
    return bias ? op.add(g, product(x, path, options), bias) : product(x, path, options);
  };
  return {
    linear,
    linearDeferred: (x: Value, path: string, options?: LinearOptions): Deferred<Value> => ({
      result: product(x, path, options),
      bias: biasOf(g, path),
    }),
    layerNorm(stream, path, epsilon, position) {
      const width = stream.result.shape.at(-1);
      const pending = !stream.settled && (stream.skip || stream.bias) !== undefined;
      if (native.has("layerNorm") && pending && typeof width === "number" && width % 8 === 0) {
        const both = nativeLayerNorm(g, stream.result, path, epsilon, { ...stream, position });
        stream.settled = both.sum;
        return both;
      }
      const placed = (normed: Value) => (position ? op.add(g, normed, position) : normed);
      if (pending) {
        const both = skipLayerNorm(g, stream, path, epsilon);
        stream.settled = both.sum;
        return { normed: placed(both.normed), sum: both.sum };
      }
      const sum = settleValue(g, kernels, stream);
      const inputs = [sum, g.weight(`${path}.weight`), g.weight(`${path}.bias`)];
      const attributes = { axis: { i: -1 }, epsilon: { f: epsilon } };
      return { normed: placed(g.node("LayerNormalization", inputs, {}, attributes)), sum };
    },
    settle: (stream: Residual<Value>) => settleValue(g, kernels, stream),
    feedForward(x, path, kind) {
      const up = adapted(`${path}.net.0.proj`, true);
      const down = adapted(`${path}.net.2`, true);
      const bias = g.weight(`${path}.net.0.proj.bias`);
      const inner = (elementCount(bias.shape) as number) / 2;
      const joined = native.has("feedForward") && fitsGatedLinear(x.shape.at(-1), inner);
      const gate = native.has("geglu") && inner % 8 === 0 ? nativeGeglu : kernels.biasSplitGelu;
      const gated = (part: Value) =>
        joined
          ? nativeGatedLinear(g, part, up, bias, inner)
          : gate(g, op.matmulTransposed(g, part, up), bias);
      const run = (part: Value) => op.matmulTransposed(g, gated(part), down);
      // The joined form never holds values and gates, so its parts may be twice as large.
      const apart = kind === "temporal" ? feedForwardChunks : 1;
      const chunks = joined ? Math.ceil(apart / 2) : apart;
      const parts = chunks > 1 ? op.split(g, x, chunks, 0).map(run) : [run(x)];
      const result = chunks > 1 ? op.concat(g, parts, 0, x.shape[0]) : parts[0];
      if (!result) throw new Error("a feed-forward needs at least one part");
      return { result, bias: g.weight(`${path}.net.2.bias`) };
    },
    silu: (x: Value) => g.node("QuickGelu", [x], {}, { alpha: { f: 1 } }, CONTRIB),
  } satisfies Partial<TargetOps>;
}

function attentionOps(g: GraphBuilder, { temporalPacking, native }: NhwcOptions) {
  const attend = (q: Value, k: Value, v: Value, { heads, causal }: AttentionOptions, mask?: Value): Value => {
    const attributes = { num_heads: { i: heads }, unidirectional: { i: causal ? 1 : 0 } };
    return g.node("MultiHeadAttention", [q, k, v, undefined, undefined, mask], {}, attributes, CONTRIB);
  };
  return {
    attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
      if (options.kind === "temporal" && native.has("attention") && fitsNativeAttention(q, options.heads))
        return nativeTemporalAttention(g, q, k, v, options.heads);
      if (options.kind !== "temporal" || temporalPacking === 1) return attend(q, k, v, options);
      const [rows = 1, frames, width = 1] = q.shape;
      if (frames === undefined) throw new Error("temporal attention needs [rows, frames, channels]");
      const packed = [divDim(rows, temporalPacking), mulDims(temporalPacking, frames), width];
      const pack = (x: Value) => op.reshape(g, x, packed);
      const mask = blockDiagonalMask(g, temporalPacking, frames);
      return op.reshape(g, attend(pack(q), pack(k), pack(v), options, mask), q.shape);
    },
  } satisfies Partial<TargetOps>;
}

/** Additive mask [1, 1, P*F, P*F]: each of P clips sees its own F frames only. */
function blockDiagonalMask(g: GraphBuilder, clips: number, frames: Dim): Value {
  const size = mulDims(clips, frames);
  return g.once(`frame mask ${size}`, () => {
    const clipOf = Int32Array.from({ length: clips }, (_, i) => i);
    const each = op.expand(g, g.constant("int32", clipOf, [clips, 1]), [clips, frames]);
    const row = op.reshape(g, each, [1, size]);
    const same = g.node("Equal", [row, op.reshape(g, each, [size, 1])], {
      dtype: "bool",
      shape: [size, size],
    });
    const mask = g.node("Where", [same, op.scalar(g, 0), op.scalar(g, -1e4)], {
      dtype: g.dtype,
      shape: [size, size],
    });
    return op.unsqueeze(g, mask, [0, 1]);
  });
}

function nhwcMap(value: Value): FeatureMap {
  const [batch = 1, height = 1, width = 1, channels] = value.shape;
  if (typeof channels !== "number") throw new Error("the number of channels must be known");
  return { value, batch, height, width, channels };
}

/** The same map with its rows in the usual order. */
function inOrder(g: GraphBuilder, map: NhwcMap): FeatureMap {
  const { value, overTime, batch, height, width, channels } = map;
  if (overTime === undefined) return map;
  const pixels = mulDims(height, width);
  const clips = op.reshape(g, value, [divDim(batch, overTime), pixels, overTime, channels]);
  return nhwcMap(op.reshape(g, op.transpose(g, clips, [0, 2, 1, 3]), value.shape));
}

/** A residual stream of maps as one of plain values with the pixels merged, for 3-D operators. */
function settleMapValue(g: GraphBuilder, kernels: NhwcKernels, stream: Residual<NhwcMap>): FeatureMap {
  const { overTime } = stream.result;
  if (!stream.settled && overTime !== undefined && stream.bias && stream.skip) {
    const { result, bias, skip } = stream;
    stream.settled = nhwcMap(nativeResidual(g, result.value, bias, skip.value, overTime));
  }
  if (!stream.settled) {
    const { value } = inOrder(g, stream.result);
    const merge = (x: Value) => op.flatten(g, x, 1, 3);
    const rows = { result: merge(value), bias: stream.bias, skip: stream.skip && merge(stream.skip.value) };
    stream.settled = nhwcMap(op.reshape(g, settleValue(g, kernels, rows), value.shape));
  }
  return stream.settled;
}

/** Group norm that also adds what its input still carries; `view` regroups the images it looks at. */
function normStream(
  g: GraphBuilder,
  { kernels, native }: NhwcOptions,
  stream: Residual<NhwcMap>,
  path: string,
  options: GroupNormOptions,
  view: (x: Value) => Value = (x) => x,
  order: FrameOrder = {},
): { normed: Value; sum: FeatureMap } {
  const { skip, bias } = stream;
  if (native.has("groupNorm") && fitsNativeNorm(stream.result.value, options)) {
    if (stream.settled || !skip) {
      const sum = settleMapValue(g, kernels, stream);
      return { normed: nativeGroupNorm(g, view(sum.value), path, options, order), sum };
    }
    const { value, overTime } = stream.result;
    const rows = { ...order, in: overTime };
    const both = nativeSkipGroupNorm(g, view(value), path, view(skip.value), bias, options, rows);
    stream.settled = nhwcMap(op.reshape(g, both.sum, value.shape));
    return { normed: both.normed, sum: stream.settled };
  }
  const result = inOrder(g, stream.result);
  if (stream.settled || !skip) {
    const sum = settleMapValue(g, kernels, stream);
    return { normed: kernels.groupNorm(g, view(sum.value), path, options), sum };
  }
  const both = kernels.skipGroupNorm(g, view(result.value), path, view(skip.value), bias, options);
  stream.settled = nhwcMap(op.reshape(g, both.sum, result.value.shape));
  return { normed: both.normed, sum: stream.settled };
}

function mapOps(g: GraphBuilder, nhwc: NhwcOptions) {
  const { kernels, native } = nhwc;
  const adapted = nhwc.lora === "convolutions";
  // The provider's convolutions of this layout want a constant weight, which one with a LoRA is not.
  const conv3: NhwcKernels["conv"] = (g, x, path, options, bias) =>
    adapted
      ? planarConv(g, x, adaptedConvWeight(g, path, native.has("lora")), options, bias)
      : kernels.conv(g, x, path, options, bias);
  const convDeferred = (map: FeatureMap, path: string, options: ConvOptions): Deferred<FeatureMap> => {
    const bias = biasOf(g, path);
    if (options.kernel === 1 && (options.stride ?? 1) === 1) {
      const weight = adapted ? adaptedRows(g, path, native.has("lora")) : matrix(g, path);
      return { result: nhwcMap(op.matmulTransposed(g, map.value, weight)), bias };
    }
    return { result: nhwcMap(conv3(g, map.value, path, options)), bias };
  };
  return {
    fromImages: (x: Value) => nhwcMap(op.transpose(g, x, [0, 2, 3, 1])),
    toImages: ({ value }: FeatureMap) => op.transpose(g, value, [0, 3, 1, 2]),
    convDeferred,
    conv(map: FeatureMap, path: string, options: ConvOptions) {
      const bias = biasOf(g, path);
      if (options.kernel === 3) return nhwcMap(conv3(g, map.value, path, options, bias));
      const { result } = convDeferred(map, path, options);
      return bias ? nhwcMap(op.add(g, result.value, bias)) : result;
    },
    groupNorm(stream, path, options) {
      const { normed, sum } = normStream(g, nhwc, stream, path, options);
      return { normed: nhwcMap(normed), sum };
    },
    groupNormShifted({ result, bias }, shift, path, options) {
      if (native.has("groupNorm") && fitsNativeNorm(result.value, options)) {
        return nhwcMap(nativeGroupNorm(g, result.value, path, options, {}, shift, bias));
      }
      const rows = shift ?? zeroRows(g, result);
      return nhwcMap(kernels.shiftedGroupNorm(g, result.value, path, rows, bias, options));
    },
    settleMap: (stream: Residual<FeatureMap>) => settleMapValue(g, kernels, stream),
    concatChannels: (a: FeatureMap, b: FeatureMap) => nhwcMap(op.concat(g, [a.value, b.value], 3)),
    upsampledConv({ value, batch, channels, height, width }: FeatureMap, path: string, outChannels: number) {
      const bias = biasOf(g, path);
      const [tall, wide] = [mulDims(2, height), mulDims(2, width)];
      if (native.has("upsample") && bias && outChannels % 8 === 0 && !adapted) {
        const phases = kernels.conv2x2(g, value, foldedUpsampleWeight(g, path), 4 * outChannels);
        return nhwcMap(nativeInterleave(g, phases, bias, [batch, tall, wide, outChannels]));
      }
      const shape = [batch, tall, wide, channels];
      const scales = op.floats(g, [1, 2, 2, 1], [4], "float32");
      const attributes = {
        mode: { s: "nearest" },
        coordinate_transformation_mode: { s: "asymmetric" },
        nearest_mode: { s: "floor" },
      };
      const large = g.node("Resize", [value, undefined, scales], { shape }, attributes);
      return nhwcMap(conv3(g, large, path, { outChannels, kernel: 3 }, bias));
    },
    toTokens: ({ value }: FeatureMap) => op.flatten(g, value, 1, 3),
    fromTokens: (tokens: Value, { value }: FeatureMap) => nhwcMap(op.reshape(g, tokens, value.shape)),
  } satisfies Partial<TargetOps>;
}

/** Zeros [N, C]: the skip of a norm that has a bias to add and nothing else. */
function zeroRows(g: GraphBuilder, { batch, channels }: FeatureMap): Value {
  const row = op.floats(g, new Float32Array(channels), [1, channels]);
  return op.expand(g, row, [batch, channels]);
}

function clipOps(g: GraphBuilder, nhwc: NhwcOptions) {
  /** Frames that the own operators reorder, while they norm or add; undefined for a Transpose instead. */
  const reordered = (frames: Dim, channels: number, { groups }: { readonly groups: number }) =>
    nhwc.native.has("groupNorm") &&
    typeof frames === "number" &&
    channels % 8 === 0 &&
    channels % groups === 0
      ? frames
      : undefined;
  return {
    fromVideo: (x: Value) => nhwcMap(op.flatten(g, op.transpose(g, x, [0, 2, 3, 4, 1]), 0, 2)),
    toVideo({ value, channels, height, width }: FeatureMap, batch: Dim, frames: Dim) {
      return op.transpose(g, op.reshape(g, value, [batch, frames, height, width, channels]), [0, 4, 1, 2, 3]);
    },
    clipNorm(stream, path, batch, frames, options) {
      const { channels, height, width } = stream.result;
      const view = (x: Value) => op.reshape(g, x, [batch, mulDims(frames, height), width, channels]);
      const pixels = mulDims(height, width);
      const out = reordered(frames, channels, options);
      const order = { out, clip: true };
      const { normed, sum } = normStream(g, nhwc, stream, path, options, view, order);
      if (out !== undefined)
        return { normed: op.reshape(g, normed, [mulDims(batch, pixels), frames, channels]), sum };
      const overTime = op.transpose(
        g,
        op.reshape(g, normed, [batch, frames, pixels, channels]),
        [0, 2, 1, 3],
      );
      return { normed: op.reshape(g, overTime, [mulDims(batch, pixels), frames, channels]), sum };
    },
    fromTimeTokens(tokens: Value, { value, channels, height, width }: FeatureMap, batch: Dim, frames: Dim) {
      if (reordered(frames, channels, { groups: 1 }) !== undefined) {
        return { ...nhwcMap(op.reshape(g, tokens, value.shape)), overTime: frames as number };
      }
      const pixels = mulDims(height, width);
      const overTime = op.reshape(g, tokens, [batch, pixels, frames, channels]);
      return nhwcMap(op.reshape(g, op.transpose(g, overTime, [0, 2, 1, 3]), value.shape));
    },
  } satisfies Partial<TargetOps>;
}
