import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  ARTEFACTS,
  type ArtefactName,
  type PackManifest,
  type RenderSpec,
  type Warning,
} from "@cartoon/protos";
import type { Artefact } from "@cartoon/protos/gen/Artefact";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import type { LoraFile } from "../assets/cast.ts";
import type { RunnerResult, StageTime } from "../runner/messages.ts";
import { artefactWarnings, canMake, type Made, makeArtefact, openMaterial } from "./artefacts.ts";
import type { AttemptEvent, NodeFacts } from "./attempt.ts";
import { type ManifestInput, manifestJson } from "./manifest.ts";
import type { PictureStream } from "./picture-stream.ts";
import type { Plan } from "./plan.ts";
import { put, sha256, UploadError } from "./upload.ts";

export interface Delivery {
  node: NodeFacts;
  request: RunRequest__Output;
  spec: RenderSpec;
  plan: Plan;
  pack: PackManifest;
  /** LoRAs that came with the request. */
  loras: readonly LoraFile[];
  device: string;
  result: RunnerResult;
  folder: string;
  /** Has encoded the picture while it was drawn. */
  picture?: PictureStream;
  warnings: Warning[];
  warn: (warning: Warning) => void;
  progress: (stage: "mux" | "upload", done: number, total: number) => void;
  timed: (stage: string, seconds: number) => void;
  /** Stages of the whole attempt so far. */
  stages: StageTime[];
  emit: (event: AttemptEvent) => void;
  signal: AbortSignal;
}

export type Target = RunRequest__Output["uploads"][number] & { name: ArtefactName };

/** Where what this node can make may be put. */
export const targetsOf = (request: RunRequest__Output): Target[] =>
  request.uploads.filter((target): target is Target => target.name in ARTEFACTS);

/** Makes every artefact that has a target, then puts them there. @throws UploadError naming the one that failed */
export async function deliver(delivery: Delivery): Promise<Artefact[]> {
  const targets = targetsOf(delivery.request);
  const started = performance.now();
  delivery.progress("mux", 0, 1);
  const made = await makeAll(delivery, targets);
  const muxed = performance.now();
  delivery.progress("mux", 1, 1);
  delivery.timed("mux", (muxed - started) / 1000);
  const artefacts = await uploadAll(delivery, targets, made);
  delivery.timed("upload", (performance.now() - muxed) / 1000);
  return artefacts;
}

/** A clip and a poster of the frames as they stand. What fails here is told and left out: the job is canceled anyway. */
export async function deliverPartial(delivery: Delivery): Promise<Artefact[]> {
  const { request, result, emit, signal } = delivery;
  if (!result.frames) return [];
  const folder = join(delivery.folder, "partial");
  try {
    await mkdir(folder, { recursive: true });
    return await deliver({ ...delivery, folder, request: { ...request, uploads: request.partial_uploads } });
  } catch (error) {
    signal.throwIfAborted();
    const message = `no partial clip: ${error instanceof Error ? error.message : String(error)}`;
    emit({ log: { level: "warning", message } });
    return [];
  }
}

async function makeAll(delivery: Delivery, targets: Target[]): Promise<Made[]> {
  const { node, request, spec, plan, pack, loras, device, result, folder, warnings, signal } = delivery;
  const manifest: ManifestInput = {
    ...{ spec, plan, pack, loras, device, result, warnings },
    jobId: request.job_id,
    version: node.version,
  };
  const material = await openMaterial(manifest);
  const names = targets.map(({ name }) => name);
  for (const warning of artefactWarnings(names, material)) delivery.warn(warning);
  const { picture } = delivery;
  const context = { ffmpeg: node.ffmpeg, signer: node.signer, folder, manifest, picture, signal };
  const media = names.filter((name) => name !== "manifest.json").filter((name) => canMake(name, material));
  const made = await Promise.all(media.map((name) => makeArtefact(name, material, context)));
  if (names.includes("manifest.json")) {
    const text = manifestJson(manifest, delivery.stages, { bun: Bun.version, node: node.version });
    const bytes = new TextEncoder().encode(text);
    made.push({ name: "manifest.json", bytes, width: 0, height: 0, seconds: 0 });
  }
  return made;
}

/** Puts what was made to its targets. @throws UploadError naming the one that failed */
export async function uploadAll(
  delivery: Pick<Delivery, "progress" | "emit" | "signal">,
  targets: Target[],
  made: Made[],
): Promise<Artefact[]> {
  let done = 0;
  delivery.progress("upload", 0, made.length);
  return Promise.all(
    made.map(async ({ name, bytes, width, height, seconds }) => {
      const target = targets.find((candidate) => candidate.name === name);
      if (!target) throw new UploadError(`${name} has no target`);
      const { put_url: url, content_type, headers } = target;
      const contentType = content_type || ARTEFACTS[name];
      await put({ url, contentType, headers }, bytes, delivery.signal).catch((error: unknown) => {
        if (error instanceof UploadError) throw new UploadError(`${name}: ${error.message}`);
        throw error;
      });
      const artefact = {
        ...{ name, width, height, seconds },
        content_type: contentType,
        bytes: bytes.length,
        sha256: sha256(bytes),
      };
      delivery.emit({ artefact });
      delivery.progress("upload", ++done, made.length);
      return artefact;
    }),
  );
}
