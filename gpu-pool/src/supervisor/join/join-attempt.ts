import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ArtefactName, JoinSpec, Warning } from "@cartoon/protos";
import type { Receipt } from "@cartoon/protos/gen/Receipt";
import {
  type Caption,
  gifOf,
  gifSize,
  joinMp4,
  MAX_GIF_SECONDS,
  mixSounds,
  type Sound,
  stillOf,
  toWav,
  toWebVtt,
} from "../../media/index.ts";
import type { Made } from "../artefacts.ts";
import { type AttemptEvent, type AttemptInput, safeName } from "../attempt.ts";
import { targetsOf, uploadAll } from "../deliver.ts";
import { terminalEvent } from "../terminal.ts";
import { fetchShots, type ShotMaterial } from "./inputs.ts";
import { type JoinManifestInput, joinProvenance } from "./manifest.ts";
import { type JoinPlan, planJoin } from "./plan.ts";

/** Share of the progress that each part makes. */
const PARTS = { fetch: 0.1, mux: 0.8, upload: 0.1 } as const;

/** One attempt to join the shots of a storyboard. No model is used: the slot goes back at once. */
export class JoinAttempt {
  readonly #input: AttemptInput & { join: JoinSpec };
  readonly #folder: string;
  readonly #warnings: Warning[] = [];
  readonly #stages: { stage: string; seconds: number }[] = [];

  constructor(input: AttemptInput & { join: JoinSpec }) {
    this.#input = input;
    this.#folder = join(input.node.workDir, `${safeName(input.request.job_id)}-${input.request.fence}`);
  }

  get receipt(): Receipt {
    return { steps_done: 0, steps_total: 0, device_seconds: 0, stages: this.#stages };
  }

  /** Runs to the end. Never throws: what goes wrong becomes the terminal event. */
  async run(): Promise<void> {
    const { emit, slot, signal } = this.#input;
    slot.release();
    try {
      await mkdir(this.#folder, { recursive: true });
      emit(await this.#work());
    } catch (error) {
      emit(terminalEvent(error, signal, this.receipt));
    } finally {
      await rm(this.#folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #work(): Promise<AttemptEvent> {
    const { node, request, emit, signal, slot, join: spec } = this.#input;
    signal.throwIfAborted();
    emit({ accepted: { node_id: node.id, device: slot.device.kind, resumed_step: 0 } });
    this.#progress("load", 0);
    const shots = await this.#timed("load", () => fetchShots(request, spec.shots, this.#folder, signal));
    const plan = planJoin(
      spec,
      shots.map(({ seconds }) => seconds),
    );
    for (const warning of plan.warnings) this.#warn(warning);
    this.#progress("mux", PARTS.fetch);
    const made = await this.#timed("mux", () => this.#make(shots, plan));
    const targets = targetsOf(request);
    const done = PARTS.fetch + PARTS.mux;
    const progress = (stage: "mux" | "upload", ready: number, total: number) =>
      this.#progress(stage, done + (PARTS.upload * ready) / Math.max(1, total));
    const upload = () => uploadAll({ progress, emit, signal }, targets, made);
    const artefacts = await this.#timed("upload", upload);
    return { succeeded: { artefacts, receipt: this.receipt } };
  }

  async #make(shots: ShotMaterial[], plan: JoinPlan): Promise<Made[]> {
    const { node, request, signal, spec, join: joinSpec } = this.#input;
    const { width, height, seconds, places } = plan;
    const wanted = new Set<ArtefactName>(targetsOf(request).map(({ name }) => name));
    const starts = places.map(({ start }) => start / joinSpec.fps);
    const captions = shots.flatMap((shot, i) => shifted(shot.captions, starts[i] ?? 0));
    const sound = mixSounds(
      shots.flatMap((shot, i) => (shot.sound ? [{ sound: shot.sound, start: starts[i] ?? 0 }] : [])),
      seconds,
    );
    const { version } = node;
    const manifest = { version, spec: joinSpec, shots, plan, captions, warnings: this.#warnings };
    if (wanted.has("clip.gif") && seconds > MAX_GIF_SECONDS) this.#warn(NO_GIF(seconds));
    const clip = join(this.#folder, "clip.mp4");
    await joinMp4({
      ...{ ffmpeg: node.ffmpeg, width, height, fps: joinSpec.fps, folder: this.#folder, signal },
      shots: shots.map(({ file }, i) => ({ file, ...(places[i] ?? NOWHERE) })),
      ...{ sound, captions: spec.output.captions ? captions : undefined },
      metadata: { title: joinSpec.title, comment: JSON.stringify(joinProvenance(manifest)) },
      output: clip,
    });
    const more = { sound, captions, manifest };
    const made = [...wanted].map((name) => this.#makeOne(name, { clip, plan, ...more }));
    return (await Promise.all(made)).filter((one) => one !== undefined);
  }

  async #makeOne(
    name: ArtefactName,
    made: { clip: string; plan: JoinPlan; sound?: Sound; captions: Caption[]; manifest: JoinManifestInput },
  ): Promise<Made | undefined> {
    const { node, signal, request, join: spec } = this.#input;
    const { clip, plan, sound } = made;
    const { width, height, seconds, places } = plan;
    const output = join(this.#folder, name);
    const from = { ffmpeg: node.ffmpeg, clip, output, signal };
    const text = (content: string, length: number): Made => {
      return { name, bytes: new TextEncoder().encode(content), width: 0, height: 0, seconds: length };
    };
    switch (name) {
      case "clip.mp4":
        return { name, width, height, seconds, bytes: await this.#signed(clip, made.manifest) };
      case "clip.gif": {
        if (seconds > MAX_GIF_SECONDS) return undefined;
        const size = gifSize(width, height);
        await gifOf({ ...from, ...size, fps: spec.fps });
        return { name, ...size, seconds, bytes: await readFile(output) };
      }
      case "poster.png": {
        // From the middle of what the first shot shows alone.
        const { frames, overlap } = places[0] ?? NOWHERE;
        await stillOf({ ...from, frame: Math.floor((frames - overlap) / 2) });
        return { name, width, height, seconds: 0, bytes: await readFile(output) };
      }
      case "speech.wav":
        return sound && { name, width: 0, height: 0, seconds, bytes: toWav(sound) };
      case "captions.vtt":
        return text(toWebVtt(made.captions, seconds), seconds);
      case "manifest.json": {
        const timings = Object.fromEntries(this.#stages.map(({ stage, seconds }) => [stage, seconds]));
        const runtime = { bun: Bun.version, node: node.version };
        const manifest = { ...joinProvenance(made.manifest), job_id: request.job_id, timings, runtime };
        return text(`${JSON.stringify(manifest, null, 2)}\n`, 0);
      }
    }
  }

  async #signed(file: string, manifest: JoinManifestInput): Promise<Uint8Array> {
    const { signer } = this.#input.node;
    const clip = await readFile(file);
    const { version, spec } = manifest;
    return signer
      ? signer.sign(clip, { version, title: spec.title, render: joinProvenance(manifest) })
      : clip;
  }

  async #timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.#stages.push({ stage, seconds: Number(((performance.now() - started) / 1000).toFixed(3)) });
    return result;
  }

  #progress(stage: string, fraction: number): void {
    this.#input.emit({ progress: { stage, fraction, step: 0, steps: 0, eta_seconds: 0 } });
  }

  #warn(warning: Warning): void {
    this.#warnings.push(warning);
    this.#input.emit({ warning });
  }
}

const NOWHERE = { start: 0, frames: 1, overlap: 0 };

const NO_GIF = (seconds: number): Warning => ({
  field: "output.formats",
  given: "gif",
  used: "none",
  rule: `a clip of ${seconds.toFixed(1)} s is longer than the ${MAX_GIF_SECONDS} s that a GIF is made of`,
});

const shifted = (captions: Caption[], by: number): Caption[] =>
  captions.map((line) => ({ ...line, start: line.start + by, end: line.end + by }));
