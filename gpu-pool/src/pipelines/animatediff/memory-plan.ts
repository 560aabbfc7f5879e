import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ClipSpec } from "@cartoon/protos";
import type { Pack } from "../../packs/index.ts";

export type MemoryMode = "full" | "small";

type ClipSize = Pick<ClipSpec, "width" | "height" | "num_frames" | "context">;

/**
 * Bytes of activations for each pixel of each frame in a pass of the UNet with LoRA inputs, float16: 20.2 GB at
 * 16 frames of 1024x1024 less the weights, and 10.5 GB in the small mode (measured on an H200).
 */
const ACTIVATIONS = { full: 750, small: 260 };
/** What a process holds of a GPU before it loads anything. */
const CONTEXT_BYTES = 600_000_000;
/** Caches of a voice that speaks beside the picture, as a share of its weights. */
const VOICE_OVERHEAD = 1.4;

const PICTURE = ["unet", "motion_adapter", "vae"];
const TEXT = ["text_encoder", "text_encoder_2"];
const VOICE = ["dia", "dac"];

/** Bytes that drawing a clip takes on a GPU, about. The small mode has the text encoders only while they work. */
export async function pictureBytes(pack: Pack, clip: ClipSize, mode: MemoryMode): Promise<number> {
  const frames = pack.manifest.picture?.frames;
  const window = clip.context?.window || frames?.window || clip.num_frames;
  const pixels = Math.min(clip.num_frames, window) * clip.width * clip.height;
  const weights = await weightBytes(pack, mode === "full" ? [...PICTURE, ...TEXT] : PICTURE);
  return CONTEXT_BYTES + weights + ACTIVATIONS[mode] * pixels;
}

/** Bytes that a voice in a process of its own takes beside the picture, about. */
export async function voiceBytes(pack: Pack): Promise<number> {
  const weights = await weightBytes(pack, VOICE);
  return weights === 0 ? 0 : CONTEXT_BYTES + VOICE_OVERHEAD * weights;
}

/** The mode for a clip: the full one where it fits into `free` bytes. */
export async function chooseMemoryMode(pack: Pack, clip: ClipSize, free: number): Promise<MemoryMode> {
  return (await pictureBytes(pack, clip, "full")) <= free ? "full" : "small";
}

async function weightBytes(pack: Pack, components: readonly string[]): Promise<number> {
  const sizes = components
    .filter((name) => pack.has(name))
    .map(async (name) => {
      const path = pack.component(name);
      const files = (await readdir(path).catch(() => [])).filter((file) => file.endsWith(".safetensors"));
      const bytes = await Promise.all(files.map(async (file) => (await stat(join(path, file))).size));
      return bytes.reduce((a, b) => a + b, 0);
    });
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
}
