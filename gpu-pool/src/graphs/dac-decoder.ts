import type { WeightSet } from "../weights/weight-set.ts";
import { GraphBuilder, type OnnxModel, op, type Value } from "./builder/index.ts";
import { conv, type DacGraph, pointwise, residualUnits, upsample } from "./dac-blocks.ts";
import type { DacConfig } from "./dac-config.ts";
import { DAC_OPERATORS, type DacKernels } from "./dac-kernels.ts";

/**
 * DAC decoder: codes to sound.
 * Input: `audio_codes` int64 [codebooks, T]. Output: `audio_values` float32 [samples], -1 to 1.
 */
export function buildDacDecoder(
  config: DacConfig,
  weights: WeightSet,
  options: { dtype?: "float32" | "float16"; kernels?: DacKernels } = {},
): OnnxModel {
  const g = new GraphBuilder({ weights, dtype: options.dtype ?? "float32" });
  const operators = DAC_OPERATORS[options.kernels ?? "conv1d"];
  const dac: DacGraph = { g, operators };
  const codes = g.input("audio_codes", "int64", [config.codebooks, "T"]);
  const latents = op.transpose(g, lookUp(g, config, codes), [1, 0]);
  let x = conv(dac, operators.enter(g, latents), "decoder.conv1", { kernel: 7 });
  for (const [i, stride] of [...config.strides].reverse().entries()) {
    const path = `decoder.block.${i}`;
    x = upsample(dac, x, `${path}.conv_t1`, { stride, time: `t${i}`, snake: `${path}.snake1` });
    x = residualUnits(dac, x, path);
  }
  x = op.unary(g, "Tanh", conv(dac, x, "decoder.conv2", { kernel: 7, snake: "decoder.snake1" }));
  g.output("audio_values", op.cast(g, op.squeeze(g, operators.leave(g, x), [0]), "float32"));
  return g.build("dac_decoder");
}

/** Sum of the projected codebook entries, [T, latent channels]. */
function lookUp(g: GraphBuilder, config: DacConfig, codes: Value): Value {
  let sum: Value | undefined;
  const rows = op.split(g, codes, config.codebooks, 0);
  for (const [i, row] of rows.entries()) {
    const path = `quantizer.quantizers.${i}`;
    const entries = op.gather(g, g.weight(`${path}.codebook.weight`), op.squeeze(g, row, [0]));
    const projected = pointwise(g, entries, `${path}.out_proj`);
    sum = sum ? op.add(g, sum, projected) : projected;
  }
  if (!sum) throw new Error("DAC needs at least one codebook");
  return sum;
}
