import { op, type Value } from "../builder/index.ts";
import type { TargetOps } from "../target/target.ts";

/**
 * Sinusoidal features of scalars, cosines first (diffusers Timesteps with flip_sin_to_cos and shift 0).
 * Angles are kept in float32 whatever the target computes in.
 * @param x float32 [N, 1]
 * @returns [N, channels] in the graph's type
 */
export function sinusoid(ops: TargetOps, x: Value, channels: number): Value {
  const { g } = ops;
  const half = Math.floor(channels / 2);
  const frequencies = Float32Array.from({ length: half }, (_, i) => Math.exp((-Math.log(10000) * i) / half));
  const angles = op.mul(g, x, op.floats(g, frequencies, [1, half], "float32"));
  const waves = op.concat(g, [op.unary(g, "Cos", angles), op.unary(g, "Sin", angles)], 1);
  return op.cast(g, waves, g.dtype);
}

/** TimestepEmbedding of diffusers: linear, SiLU, linear. */
export function embeddingMlp(ops: TargetOps, x: Value, path: string): Value {
  return ops.linear(ops.silu(ops.linear(x, `${path}.linear_1`)), `${path}.linear_2`);
}
