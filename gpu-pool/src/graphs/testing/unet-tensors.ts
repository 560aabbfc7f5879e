import type { UnetBlock, UnetMotionShape } from "../config/unet.ts";

/** Names and shapes of all weights that a UNet with motion modules has in diffusers' layout. */
export function unetTensors(
  shape: UnetMotionShape,
  linearProjection: boolean,
): { unet: Record<string, number[]>; adapter: Record<string, number[]> } {
  const unet: Record<string, number[]> = {};
  const adapter: Record<string, number[]> = {};
  const first = shape.down[0]?.channels ?? 0;
  const time = 4 * first;
  conv(unet, "conv_in", shape.inChannels, first, 3);
  embedding(unet, "time_embedding", first, time);
  if (shape.textTime) {
    embedding(unet, "add_embedding", shape.textTime.textDim + 6 * shape.textTime.timeDim, time);
  }
  const layer = (block: UnetBlock, path: string, index: number, width: number) => {
    resnet(unet, `${path}.resnets.${index}`, width, block.channels, time);
    attentions(unet, block, path, index, linearProjection);
    motion(adapter, block, path, index);
  };
  const skips = [first];
  let width = first;
  for (const [i, block] of shape.down.entries()) {
    for (let j = 0; j < block.layers; j++) {
      layer(block, `down_blocks.${i}`, j, width);
      width = block.channels;
      skips.push(width);
    }
    if (i === shape.down.length - 1) continue;
    conv(unet, `down_blocks.${i}.downsamplers.0.conv`, width, width, 3);
    skips.push(width);
  }
  resnet(unet, "mid_block.resnets.0", width, width, time);
  for (let i = 0; i < shape.mid.layers; i++) {
    attentions(unet, shape.mid, "mid_block", i, linearProjection);
    motion(adapter, shape.mid, "mid_block", i);
    resnet(unet, `mid_block.resnets.${i + 1}`, width, width, time);
  }
  for (const [i, block] of shape.up.entries()) {
    for (let j = 0; j < block.layers; j++) {
      layer(block, `up_blocks.${i}`, j, width + (skips.pop() ?? 0));
      width = block.channels;
    }
    if (i < shape.up.length - 1) conv(unet, `up_blocks.${i}.upsamplers.0.conv`, width, width, 3);
  }
  norm(unet, "conv_norm_out", first);
  conv(unet, "conv_out", first, shape.outChannels, 3);
  return { unet, adapter };
}

type Tensors = Record<string, number[]>;

function linear(t: Tensors, path: string, width: number, out: number, bias = true): void {
  t[`${path}.weight`] = [out, width];
  if (bias) t[`${path}.bias`] = [out];
}

function conv(t: Tensors, path: string, width: number, out: number, kernel: number): void {
  t[`${path}.weight`] = [out, width, kernel, kernel];
  t[`${path}.bias`] = [out];
}

function norm(t: Tensors, path: string, channels: number): void {
  t[`${path}.weight`] = [channels];
  t[`${path}.bias`] = [channels];
}

function embedding(t: Tensors, path: string, width: number, out: number): void {
  linear(t, `${path}.linear_1`, width, out);
  linear(t, `${path}.linear_2`, out, out);
}

function resnet(t: Tensors, path: string, width: number, out: number, time: number): void {
  norm(t, `${path}.norm1`, width);
  conv(t, `${path}.conv1`, width, out, 3);
  linear(t, `${path}.time_emb_proj`, time, out);
  norm(t, `${path}.norm2`, out);
  conv(t, `${path}.conv2`, out, out, 3);
  if (width !== out) conv(t, `${path}.conv_shortcut`, width, out, 1);
}

function block(t: Tensors, path: string, channels: number, textWidth: number): void {
  for (const [name, source] of [
    ["attn1", channels],
    ["attn2", textWidth],
  ] as const) {
    linear(t, `${path}.${name}.to_q`, channels, channels, false);
    linear(t, `${path}.${name}.to_k`, source, channels, false);
    linear(t, `${path}.${name}.to_v`, source, channels, false);
    linear(t, `${path}.${name}.to_out.0`, channels, channels);
  }
  for (const name of ["norm1", "norm2", "norm3"]) norm(t, `${path}.${name}`, channels);
  linear(t, `${path}.ff.net.0.proj`, channels, 8 * channels);
  linear(t, `${path}.ff.net.2`, 4 * channels, channels);
}

function attentions(t: Tensors, b: UnetBlock, path: string, index: number, linearProjection: boolean): void {
  const layers = b.spatialLayers?.[index];
  if (layers === undefined) return;
  const root = `${path}.attentions.${index}`;
  norm(t, `${root}.norm`, b.channels);
  for (const name of ["proj_in", "proj_out"]) {
    if (linearProjection) linear(t, `${root}.${name}`, b.channels, b.channels);
    else conv(t, `${root}.${name}`, b.channels, b.channels, 1);
  }
  for (let i = 0; i < layers; i++) block(t, `${root}.transformer_blocks.${i}`, b.channels, b.crossDim);
}

function motion(t: Tensors, b: UnetBlock, path: string, index: number): void {
  const layers = b.motionLayers?.[index];
  if (layers === undefined) return;
  const root = `${path}.motion_modules.${index}`;
  norm(t, `${root}.norm`, b.channels);
  linear(t, `${root}.proj_in`, b.channels, b.channels);
  linear(t, `${root}.proj_out`, b.channels, b.channels);
  for (let i = 0; i < layers; i++) block(t, `${root}.transformer_blocks.${i}`, b.channels, b.channels);
}
