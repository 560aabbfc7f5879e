import type { Pack } from "../packs/index.ts";
import { chooseMemoryMode, fittingWindow, voiceBytes } from "../pipelines/animatediff/index.ts";
import type { DrawnClip, RunMode, RunnerSetup } from "./messages.ts";

/** What the picture models of a pack are wanted for. */
export interface PictureWish {
  deterministic?: boolean;
  clip?: DrawnClip;
  /** Settled already. */
  mode?: RunMode;
}

/**
 * How to draw. The CPU repeats its bytes anyway. A GPU with too little room for the clip draws in the small mode, and
 * stays with it: changing back costs more than it gains, except where the bytes must depend on the clip alone.
 * @param free bytes of the GPU that are free without the picture models; absent where nobody knows
 * @param loaded mode of the pack's models that are in memory already
 */
export async function chooseMode(
  setup: Pick<RunnerSetup, "device" | "parts" | "deterministic" | "memory">,
  pack: Pack,
  { deterministic = false, clip, mode: settled }: PictureWish,
  free: number | undefined,
  loaded: RunMode | undefined,
): Promise<RunMode> {
  if (settled) return settled;
  const { device, memory = "auto" } = setup;
  const stable = device.kind === "cpu" || deterministic || setup.deterministic === true;
  const mode = (memory: RunMode["memory"]): RunMode => ({ deterministic: stable, memory });
  if (memory !== "auto") return mode(memory);
  const { picture } = pack.manifest;
  if (free === undefined || !picture) return mode("full");
  if (loaded?.memory === "small" && !stable) return mode("small");
  const size = clip ?? { ...picture.native, num_frames: picture.frames.default };
  return mode(await chooseMemoryMode(pack, size, free - (await voiceApart(setup, pack))));
}

/** Bytes for a voice that has a process of its own on the same GPU. */
async function voiceApart({ parts }: Pick<RunnerSetup, "parts">, pack: Pack): Promise<number> {
  return parts.includes("voice") ? 0 : voiceBytes(pack);
}

/**
 * Frames of a pass, where a clip leaves that open and the small mode has no room for as many as the pack takes.
 * @param free as for {@link chooseMode}
 */
export async function chooseWindow(
  setup: Pick<RunnerSetup, "parts" | "memory">,
  pack: Pack,
  clip: DrawnClip | undefined,
  mode: RunMode,
  free: number | undefined,
): Promise<number | undefined> {
  const settled = mode.memory === "full" || setup.memory === "full";
  if (settled || free === undefined || !clip) return undefined;
  return fittingWindow(pack, clip, free - (await voiceApart(setup, pack)));
}
