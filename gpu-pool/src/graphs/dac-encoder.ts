import type { WeightSet } from "../weights/weight-set.ts";
import { GraphBuilder, type OnnxModel, op, type Value } from "./builder/index.ts";
import { conv, type DacGraph, pointwise, residualUnits } from "./dac-blocks.ts";
import type { DacConfig } from "./dac-config.ts";
import { DAC_OPERATORS, type DacKernels } from "./dac-kernels.ts";

/**
 * DAC encoder: sound to codes, residual vector quantisation with unit-length codes.
 * Input: `audio_values` float32 [samples], a multiple of the hop. Output: `audio_codes` int64 [codebooks, T].
 */
export function buildDacEncoder(
  config: DacConfig,
  weights: WeightSet,
  options: { kernels?: DacKernels } = {},
): OnnxModel {
  const g = new GraphBuilder({ weights });
  const operators = DAC_OPERATORS[options.kernels ?? "conv1d"];
  const dac: DacGraph = { g, operators };
  const audio = g.input("audio_values", "float32", ["samples"]);
  let x = conv(dac, operators.enter(g, op.unsqueeze(g, audio, [0])), "encoder.conv1", { kernel: 7 });
  for (const [i, stride] of config.strides.entries()) {
    const path = `encoder.block.${i}`;
    const shrinking = { kernel: 2 * stride, stride, padding: Math.ceil(stride / 2), time: `t${i}` };
    x = conv(dac, residualUnits(dac, x, path), `${path}.conv1`, { ...shrinking, snake: `${path}.snake1` });
  }
  x = conv(dac, x, "encoder.conv2", { kernel: 3, snake: "encoder.snake1" });
  const latents = op.transpose(g, operators.leave(g, x), [1, 0]);
  g.output("audio_codes", quantise(g, config, latents));
  return g.build("dac_encoder");
}

/** Each codebook codes what the ones before it left over. */
function quantise(g: GraphBuilder, config: DacConfig, latents: Value): Value {
  let residual = latents;
  const codes: Value[] = [];
  for (let i = 0; i < config.codebooks; i++) {
    const path = `quantizer.quantizers.${i}`;
    const codebook = g.weight(`${path}.codebook.weight`);
    const projected = pointwise(g, residual, `${path}.in_proj`);
    const index = nearest(g, unitRows(g, projected), unitRows(g, codebook));
    codes.push(op.unsqueeze(g, index, [0]));
    const entry = op.gather(g, codebook, index);
    residual = op.sub(g, residual, pointwise(g, entry, `${path}.out_proj`));
  }
  return op.concat(g, codes, 0);
}

/** torch's `F.normalize`: rows divided by their length, but by no less than 1e-12. */
function unitRows(g: GraphBuilder, x: Value): Value {
  const length = op.unary(g, "Sqrt", op.reduce(g, "ReduceSum", op.mul(g, x, x), [1]));
  return op.div(g, x, g.node("Max", [length, op.scalar(g, 1e-12)]));
}

function nearest(g: GraphBuilder, x: Value, codebook: Value): Value {
  const squared = (v: Value) => op.reduce(g, "ReduceSum", op.mul(g, v, v), [1]);
  const product = op.mul(g, op.matmulTransposed(g, x, codebook), op.scalar(g, 2));
  const distance = op.sub(g, squared(x), product);
  const closeness = op.sub(g, op.transpose(g, squared(codebook), [1, 0]), distance);
  const shape = [x.shape[0] ?? 1];
  return g.node("ArgMax", [closeness], { dtype: "int64", shape }, { axis: { i: 1 }, keepdims: { i: 0 } });
}
