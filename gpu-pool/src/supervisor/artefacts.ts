import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ArtefactName, Warning } from "@cartoon/protos";
import {
  type Caption,
  checkFrames,
  encodeGif,
  encodeMp4,
  encodePoster,
  type Fit,
  type Frames,
  fitClip,
  gifSize,
  MAX_GIF_SIDE,
  muxMp4,
  type Sound,
  toWav,
  toWebVtt,
} from "../media/index.ts";
import type { ClipSigner } from "../provenance/sign-mp4.ts";
import { type ManifestInput, provenance } from "./manifest.ts";
import type { PictureStream } from "./picture-stream.ts";

export interface Made {
  name: ArtefactName;
  bytes: Uint8Array;
  width: number;
  height: number;
  seconds: number;
}

export interface MakingContext {
  ffmpeg: string;
  signer?: ClipSigner;
  folder: string;
  manifest: ManifestInput;
  /** Has encoded the picture while it was drawn. */
  picture?: PictureStream;
  signal: AbortSignal;
}

/** What the runner left in its files, and how both parts fit together. */
export interface Material {
  frames?: Frames;
  sound?: Sound;
  captions: Caption[];
  fit?: Fit;
  size: { width: number; height: number };
  /** Length of the result. */
  seconds: number;
}

export async function openMaterial({ result, plan, spec, pack }: ManifestInput): Promise<Material> {
  const { frames: shot, speech } = result;
  const frames = shot && checkFrames({ ...shot, data: await readFile(shot.file) });
  const sound = speech && { samples: await readFloats(speech.file), sampleRate: speech.sampleRate };
  const labels = new Map(pack.characters.map(({ name, label }) => [name, label]));
  const captions = (speech?.lines ?? []).map(({ character, speaker, text, start, end }) => ({
    speaker: (character && labels.get(character)) || speaker,
    text,
    start,
    end,
  }));
  const fit = frames && fitClip(frames.count, frames.fps, speech?.seconds, spec.output.fit);
  const size = plan.size ?? { width: 0, height: 0 };
  return { frames, sound, captions, fit, size, seconds: fit?.seconds ?? speech?.seconds ?? 0 };
}

/** Float32 samples of a file. */
export async function readFloats(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/**
 * Everything that will be different from what was asked for, before it is made: no picture for a job that only
 * speaks, no sound for one that only draws, GIFs of a bearable size.
 */
export function artefactWarnings(wanted: ArtefactName[], material: Material): Warning[] {
  const warnings: Warning[] = wanted
    .filter((name) => !canMake(name, material))
    .map((name) => ({
      field: "output.formats",
      given: name,
      used: "none",
      rule: material.frames ? "nothing is spoken in this job" : "nothing is drawn in this job",
    }));
  const { width, height } = material.size;
  const gif = gifSize(width, height);
  if (wanted.includes("clip.gif") && material.frames && gif.width !== width) {
    warnings.push({
      field: "output.gif",
      given: `${width}x${height}`,
      used: `${gif.width}x${gif.height}`,
      rule: `a GIF has at most ${MAX_GIF_SIDE} pixels on its longer side`,
    });
  }
  return warnings;
}

export function canMake(name: ArtefactName, { frames, sound }: Material): boolean {
  if (name === "manifest.json") return true;
  return name === "speech.wav" || name === "captions.vtt" ? Boolean(sound) : Boolean(frames);
}

/** Makes one artefact from its material. The manifest is not made here: it comes last. */
export async function makeArtefact(
  name: Exclude<ArtefactName, "manifest.json">,
  material: Material,
  context: MakingContext,
): Promise<Made> {
  const { size, seconds } = material;
  switch (name) {
    case "clip.mp4":
      return { name, ...size, seconds, bytes: await mp4(material, context) };
    case "clip.gif": {
      const frames = need(material.frames);
      const small = gifSize(size.width, size.height);
      const output = join(context.folder, name);
      await encodeGif({ ...context, frames, ...small, output });
      return { name, ...small, seconds: frames.count / frames.fps, bytes: await readFile(output) };
    }
    case "poster.png": {
      const frames = need(material.frames);
      const middle = Math.floor(frames.count / 2);
      return {
        name,
        ...size,
        seconds: 0,
        bytes: await encodePoster(frames, middle, size.width, size.height),
      };
    }
    case "speech.wav": {
      const sound = need(material.sound);
      return {
        name,
        width: 0,
        height: 0,
        seconds: sound.samples.length / sound.sampleRate,
        bytes: toWav(sound),
      };
    }
    case "captions.vtt": {
      const bytes = new TextEncoder().encode(toWebVtt(material.captions, seconds));
      return { name, width: 0, height: 0, seconds, bytes };
    }
  }
}

async function mp4(material: Material, context: MakingContext): Promise<Uint8Array> {
  const { ffmpeg, folder, manifest, signal, signer } = context;
  const { size, sound, captions } = material;
  const title = (manifest.spec.clip?.prompt ?? "").slice(0, 200);
  const render = JSON.stringify(provenance(manifest));
  const output = join(folder, "clip.mp4");
  const [frames, fit] = [need(material.frames), need(material.fit)];
  const tracks = {
    ...{ ffmpeg, folder, signal, output, sound },
    captions: manifest.spec.output.captions ? captions : undefined,
    metadata: { title, comment: render },
  };
  const picture = await context.picture?.take(need(manifest.result.frames).file, frames, fit);
  if (picture) await muxMp4({ ...tracks, picture: picture.file, seconds: picture.seconds });
  else await encodeMp4({ ...tracks, ...size, frames, fit });
  const clip = await readFile(output);
  return signer ? signer.sign(clip, { version: manifest.version, title, render: JSON.parse(render) }) : clip;
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("this artefact cannot be made from what there is");
  return value;
}
