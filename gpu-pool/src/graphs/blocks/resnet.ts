import { op, type Value } from "../builder/index.ts";
import type { FeatureMap, Residual, TargetOps } from "../target/target.ts";

export interface ResnetOptions {
  readonly outChannels: number;
  readonly groups: number;
  readonly epsilon: number;
  /** SiLU of the time embedding [N, width], for blocks that are conditioned on time. */
  readonly time?: Value;
}

/** ResnetBlock2D of diffusers: norm, SiLU, conv, time, norm, SiLU, conv, plus the (projected) input. */
export function resnetBlock(
  ops: TargetOps,
  stream: Residual<FeatureMap>,
  path: string,
  { outChannels, groups, epsilon, time }: ResnetOptions,
): Residual<FeatureMap> {
  const norm = { groups, epsilon, silu: true };
  const conv = { outChannels, kernel: 3 } as const;
  const { normed, sum } = ops.groupNorm(stream, `${path}.norm1`, norm);
  const hidden = ops.convDeferred(normed, `${path}.conv1`, conv);
  const shift = time && ops.linear(time, `${path}.time_emb_proj`, { lora: "convolutions" });
  const shifted = ops.groupNormShifted(hidden, shift, `${path}.norm2`, norm);
  const branch = ops.convDeferred(shifted, `${path}.conv2`, conv);
  if (!ops.g.weights.has(`${path}.conv_shortcut.weight`)) return { ...branch, skip: sum };
  const shortcut = ops.convDeferred(sum, `${path}.conv_shortcut`, { outChannels, kernel: 1 });
  return { result: branch.result, bias: joinBiases(ops, branch.bias, shortcut.bias), skip: shortcut.result };
}

function joinBiases({ g }: TargetOps, a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? op.add(g, a, b) : (a ?? b);
}
