import { createHash } from "node:crypto";
import { z } from "zod";
import type { ClipSettings } from "./types.ts";

/** What a run needs to go on after `step` steps exactly as if it had never stopped. */
export interface DenoiseState {
  /** FreeInit pass, 0 without it. */
  pass: number;
  /** Steps done in this pass. */
  step: number;
  latents: Float32Array;
  /** x0 of the last step, for multistep samplers. */
  previousX0: Float32Array | undefined;
  /** State of the noise generator. */
  random: Uint8Array;
  /** The first pass's standard normal noise, which FreeInit mixes in again. */
  initialNoise: Float32Array | undefined;
}

const MAGIC = "cartoon-clip-1\n";

const Header = z.strictObject({
  settings: z.string(),
  pass: z.int().min(0),
  step: z.int().min(0),
  latents: z.int().min(0),
  previousX0: z.int().min(-1),
  random: z.int().min(0),
  initialNoise: z.int().min(-1),
});

/** Names the settings that decide the result, so that a state is never used for another clip. */
export function settingsKey(clip: ClipSettings, model: string, extra: unknown): string {
  const entries = Object.entries(clip).filter(([, value]) => value !== undefined && value !== null);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  // Where a file lies changes from attempt to attempt; what is in it is told by its hash.
  const text = JSON.stringify([model, entries, extra], (key, value) => (key === "file" ? undefined : value));
  return createHash("sha256").update(text).digest("hex");
}

export function encodeState(state: DenoiseState, settings: string): Uint8Array {
  const parts = [state.latents, state.previousX0, state.random, state.initialNoise];
  const header = JSON.stringify({
    settings,
    pass: state.pass,
    step: state.step,
    latents: state.latents.length,
    previousX0: state.previousX0?.length ?? -1,
    random: state.random.length,
    initialNoise: state.initialNoise?.length ?? -1,
  });
  return Buffer.concat([
    Buffer.from(`${MAGIC}${header}\n`),
    ...parts.flatMap((part) => (part ? [Buffer.from(part.buffer, part.byteOffset, part.byteLength)] : [])),
  ]);
}

/** @throws Error when the bytes are damaged or belong to a clip with other settings */
export function decodeState(bytes: Uint8Array, settings: string): DenoiseState {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf("\n", MAGIC.length);
  if (buffer.toString("latin1", 0, MAGIC.length) !== MAGIC || end < 0)
    throw new Error("not a checkpoint of a clip");
  const header = Header.parse(JSON.parse(buffer.toString("utf8", MAGIC.length, end)));
  if (header.settings !== settings) throw new Error("the checkpoint belongs to other settings");
  let at = end + 1;
  const take = (count: number): Uint8Array => {
    if (at + count > buffer.length) throw new Error("the checkpoint is cut short");
    at += count;
    return buffer.subarray(at - count, at);
  };
  const floats = (count: number) =>
    count < 0 ? undefined : new Float32Array(new Uint8Array(take(count * 4)).buffer);
  const latents = floats(header.latents) ?? new Float32Array(0);
  const previousX0 = floats(header.previousX0);
  const random = new Uint8Array(take(header.random));
  const initialNoise = floats(header.initialNoise);
  if (at !== buffer.length) throw new Error("the checkpoint has bytes to spare");
  return { pass: header.pass, step: header.step, latents, previousX0, random, initialNoise };
}
