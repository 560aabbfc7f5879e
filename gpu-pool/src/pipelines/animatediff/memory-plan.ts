import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ClipSpec } from "@cartoon/protos";
import type { Pack } from "../../packs/index.ts";

export type MemoryMode = "full" | "small";

type ClipSize = Pick<ClipSpec, "width" | "height" | "num_frames" | "context">;

/**
 * Bytes for each pixel of each frame in a pass of the UNet with LoRA inputs, float16, beside context and weights. Measured
 * on an H200 at 1024x1024, all included: 18.3 GB for 16 frames and 33.3 GB for 32; 10.1 and 12.5 GB in the small mode.
 */
const ACTIVATIONS = { full: 750, small: 200 };
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

/** Below this only the ladder goes, when memory does run out: the motion modules were trained with 16 frames. */
const SMALLEST_PLANNED = 16;

/**
 * The window of a clip that asks for none, where the pack's own does not fit into `free` bytes in the small mode.
 * @returns undefined where it does, or where nothing smaller would help
 */
export async function fittingWindow(pack: Pack, clip: ClipSize, free: number): Promise<number | undefined> {
  const own = pack.manifest.picture?.frames.window ?? 0;
  if (clip.context?.window) return undefined;
  const first = Math.min(own, clip.num_frames);
  let window = first;
  const bytes = () => pictureBytes(pack, { ...clip, num_frames: window }, "small");
  while (window > SMALLEST_PLANNED && (await bytes()) > free)
    window = Math.max(SMALLEST_PLANNED, Math.ceil(window / 2));
  return window < first ? window : undefined;
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
