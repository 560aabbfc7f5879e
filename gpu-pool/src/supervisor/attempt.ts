import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RenderSpec, Warning } from "@cartoon/protos";
import type { Receipt } from "@cartoon/protos/gen/Receipt";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import type { RunResponse } from "@cartoon/protos/gen/RunResponse";
import { withRegistered } from "../assets/cast.ts";
import type { AssetFetcher } from "../assets/fetch.ts";
import { encodePreview, toWav } from "../media/index.ts";
import type { Pack } from "../packs/index.ts";
import type { ClipSigner } from "../provenance/sign-mp4.ts";
import type { FromRunner, RunnerJob, Spent } from "../runner/messages.ts";
import { readFloats } from "./artefacts.ts";
import { type PreparedCast, prepareCast } from "./cast.ts";
import { type Delivery, deliver, deliverPartial } from "./deliver.ts";
import { fetchState } from "./inputs.ts";
import { canStream, PictureStream } from "./picture-stream.ts";
import { type Plan, planRender, planSubstitute } from "./plan.ts";
import { ProgressMeter, type Stage, type StageHistory } from "./progress-meter.ts";
import type { Place } from "./speech-seats.ts";
import { fetchStartImage } from "./start-image.ts";
import { AttemptStopped } from "./stop.ts";
import { messageOf, RunFailed, terminalEvent } from "./terminal.ts";
import { put, sha256 } from "./upload.ts";

export type AttemptEvent = Omit<RunResponse, "sequence" | "event">;

export interface NodeFacts {
  id: string;
  version: string;
  ffmpeg: string;
  /** Signs clips, where the operator has given a key. */
  signer?: ClipSigner;
  workDir: string;
  /** Idle devices take passes of clips that others draw. */
  sharesJobs: boolean;
  history: StageHistory;
  /** Brings LoRAs and voice clips here. */
  assets: AssetFetcher;
}

export interface AttemptInput {
  node: NodeFacts;
  request: RunRequest__Output;
  spec: RenderSpec;
  pack: Pack;
  /** What was changed about the request before. */
  warnings: readonly Warning[];
  /** Draws where the models of `pack` do not load or do not fit. */
  substitute?: Pack;
  slot: Place;
  emit: (event: AttemptEvent) => void;
  /** The runner begins to draw. */
  onDraw: () => void;
  /** Bytes in use of the slot's GPU. */
  gpuMemory: () => Promise<number>;
  signal: AbortSignal;
}

const PROGRESS_MS = 500;
const NOTHING: Spent = { stepsDone: 0, stepsTotal: 0, deviceSeconds: 0, stages: [] };

/** One attempt of one job, from its request to its terminal event. */
export class Attempt {
  readonly input: AttemptInput;
  readonly folder: string;
  readonly warnings: { field: string; given: string; used: string; rule: string }[] = [];
  readonly #pending: Promise<unknown>[] = [];
  #meter: ProgressMeter | undefined;
  #spent: Spent = NOTHING;
  #accepted = false;
  #gpuMemory = 0;
  #released = false;
  /** Encodes the picture while it is drawn. */
  #picture: PictureStream | undefined;
  /** Where `finish` finds the attempt; before and after there is nothing to show. */
  #phase: "drawing" | "delivering" | undefined;
  /** Aborted when the attempt is to end with what it has. */
  readonly #finish = new AbortController();
  #told: { stage?: Stage; at: number } = { at: 0 };

  constructor(input: AttemptInput) {
    let ended = false;
    // Work that was under way beside the one that failed must not speak after the last word.
    const emit = (event: AttemptEvent) => {
      if (ended) return;
      ended = Boolean(event.succeeded || event.failed || event.canceled);
      input.emit(event);
    };
    this.input = { ...input, emit };
    this.folder = join(input.node.workDir, `${safeName(input.request.job_id)}-${input.request.fence}`);
  }

  get receipt(): Receipt {
    const { stepsDone, stepsTotal, deviceSeconds, stages } = this.#spent;
    return {
      ...{ steps_done: stepsDone, steps_total: stepsTotal, device_seconds: deviceSeconds, stages },
      gpu_memory_bytes: this.#gpuMemory,
    };
  }

  /** Runs to the end. Never throws: what goes wrong becomes the terminal event. The slot is given back in time. */
  async run(): Promise<void> {
    const { emit } = this.input;
    try {
      await mkdir(this.folder, { recursive: true });
      emit(await this.#work());
    } catch (error) {
      emit(terminalEvent(error, this.input.signal, this.receipt));
    } finally {
      this.#release();
      await this.#picture?.drop();
      await Promise.allSettled(this.#pending);
      await rm(this.folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /**
   * Ends the attempt with a clip of the frames as they stand, and then as canceled.
   * @returns false when there is nothing to make a clip of
   */
  finish(): boolean {
    if (this.#finish.signal.aborted) return true;
    if (!this.#phase || this.input.request.partial_uploads.length === 0) return false;
    this.#finish.abort();
    if (this.#phase === "drawing") this.input.slot.finish(this.#runId);
    return true;
  }

  get #runId(): string {
    const { job_id, fence } = this.input.request;
    return `${job_id}/${fence}`;
  }

  /** Once only: by the second time the slot may be another attempt's. */
  #release(): void {
    if (!this.#released) this.input.slot.release();
    this.#released = true;
  }

  async #work(): Promise<AttemptEvent> {
    const { spec, pack, slot, request, signal, emit, node } = this.input;
    signal.throwIfAborted();
    const manifest = withRegistered(pack.manifest, spec);
    const plan = planRender(spec, manifest);
    for (const warning of [...this.input.warnings, ...plan.warnings]) this.#warn(warning);
    this.#meter = new ProgressMeter(
      {
        steps: plan.clip?.num_inference_steps ?? 0,
        frames: plan.clip?.num_frames ?? 0,
        spokenCharacters: plan.speech?.lines.reduce((sum, { text }) => sum + text.length, 0) ?? 0,
      },
      node.history,
    );
    const cast = await prepareCast(this.input, plan, this.folder);
    const job = await this.#runnerJob(plan, cast);
    const streamed = { ffmpeg: node.ffmpeg, folder: this.folder, signal };
    if (plan.size && canStream(spec, request))
      this.#picture = new PictureStream({ ...streamed, size: plan.size });
    if (!plan.clip) this.#accept(0);
    this.#phase = plan.clip ? "drawing" : undefined;
    const outcome = await slot
      .run(job, (event) => this.#onEvent(event), signal)
      .finally(() => {
        this.#phase = undefined;
      });
    const memory = this.input.gpuMemory();
    this.#release();
    this.#spent = outcome.spent;
    void memory.then((bytes) => {
      this.#gpuMemory = bytes;
    });
    signal.throwIfAborted();
    if (outcome.type === "canceled") throw new AttemptStopped("canceled");
    if (outcome.type === "failed") throw new RunFailed(outcome.code, outcome.message, outcome.retryable);
    await Promise.allSettled(this.#pending);
    return this.#deliver({
      node,
      request,
      plan,
      result: outcome.result,
      spec,
      pack: manifest,
      loras: cast.loras,
      device: slot.device.kind,
      folder: this.folder,
      picture: this.#picture,
      warnings: this.warnings,
      warn: (warning) => this.#warn(warning),
      progress: (stage, done, total) => this.#progress(stage, done, total),
      timed: (stage, seconds) => this.#spent.stages.push({ stage, seconds }),
      stages: this.#spent.stages,
      emit,
      signal,
    });
  }

  async #deliver(delivery: Delivery): Promise<AttemptEvent> {
    const { signal } = delivery;
    const finish = this.#finish.signal;
    if (!finish.aborted) {
      this.#phase = delivery.result.frames ? "delivering" : undefined;
      try {
        const artefacts = await deliver({ ...delivery, signal: AbortSignal.any([signal, finish]) });
        return { succeeded: { artefacts, receipt: this.receipt } };
      } catch (error) {
        if (signal.aborted || !finish.aborted) throw error;
      } finally {
        this.#phase = undefined;
      }
    }
    const artefacts = await deliverPartial(delivery);
    return { canceled: { artefacts, receipt: this.receipt } };
  }

  async #runnerJob(plan: Plan, cast: PreparedCast): Promise<RunnerJob> {
    const { request, pack, signal, emit, node } = this.input;
    const images = { allowHosts: node.assets.allowHosts, signal };
    const startImage = plan.clip && (await fetchStartImage(plan.clip, this.folder, images));
    const resume = await fetchState(request, this.folder, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      emit({ log: { level: "warning", message: `starting anew: ${messageOf(error)}` } });
      return undefined;
    });
    return {
      run: this.#runId,
      folder: this.folder,
      pack: pack.manifest.name,
      clip: plan.clip && cast.clip(plan.clip),
      substitute: this.#substitute(cast),
      startImage,
      deterministic: this.input.spec.deterministic,
      shared: this.input.node.sharesJobs,
      speech: plan.speech,
      cast: plan.clip?.characters.map(({ name }) => name) ?? [],
      extend: plan.extend,
      references: cast.references,
      characters: cast.characters,
      checkpointEvery: request.checkpoint?.put_url ? request.checkpoint.every_steps : 0,
      resume,
    };
  }

  #substitute(cast: PreparedCast): RunnerJob["substitute"] {
    const { spec, pack, substitute } = this.input;
    if (!substitute || !spec.clip) return undefined;
    const known = withRegistered(substitute.manifest, spec);
    const { clip, warnings } = planSubstitute(spec.clip, known, withRegistered(pack.manifest, spec));
    return { pack: substitute.manifest.name, clip: cast.clip(clip, true), warnings };
  }

  #accept(resumedStep: number): void {
    if (this.#accepted) return;
    this.#accepted = true;
    const { node, slot, emit } = this.input;
    emit({ accepted: { node_id: node.id, device: slot.device.kind, resumed_step: resumedStep } });
  }

  #onEvent(event: Extract<FromRunner, { run: string }>): void {
    if (this.input.signal.aborted) return;
    if (event.type === "accepted") {
      this.input.onDraw();
      this.#accept(event.resumedStep);
    }
    if (event.type === "progress") this.#onProgress(event.stage, event.done, event.total);
    else if (event.type === "warning") this.#warn(event.warning);
    else if (event.type === "log") this.input.emit({ log: { level: event.level, message: event.message } });
    else if (event.type === "preview") this.#track(this.#preview(event));
    else if (event.type === "frames") this.#picture?.push(event.frames);
    else if (event.type === "audio") this.#track(this.#speechPart(event));
    else if (event.type === "checkpoint") this.#track(this.#checkpoint(event));
  }

  #onProgress(stage: Stage, done: number, total: number): void {
    if (stage === "denoise") this.#spent = { ...this.#spent, stepsDone: done, stepsTotal: total };
    this.#progress(stage, done, total);
  }

  #progress(stage: Stage, done: number, total: number): void {
    const report = this.#meter?.update(stage, done, total);
    if (!report || !this.#worthTelling(stage, done, total)) return;
    const { fraction, step, steps, etaSeconds } = report;
    const speech = stage === "speech" ? { speech_seconds: done, speech_seconds_expected: total } : {};
    this.input.emit({ progress: { stage, fraction, step, steps, eta_seconds: etaSeconds, ...speech } });
  }

  /** Every step and every new stage; what comes more often is thinned out, for each event is kept for good. */
  #worthTelling(stage: Stage, done: number, total: number): boolean {
    const now = performance.now();
    const fine = stage === "denoise" || stage !== this.#told.stage || done >= total;
    if (!fine && now - this.#told.at < PROGRESS_MS) return false;
    this.#told = { stage, at: now };
    return true;
  }

  #warn(warning: (typeof this.warnings)[number]): void {
    if (this.warnings.some((known) => known.field === warning.field && known.rule === warning.rule)) return;
    this.warnings.push(warning);
    this.input.emit({ warning });
  }

  /** Previews and checkpoints help; a job does not fail for the lack of one. */
  #track(work: Promise<void>): void {
    this.#pending.push(
      work.catch((error: unknown) => {
        if (!this.input.signal.aborted)
          this.input.emit({ log: { level: "warning", message: messageOf(error) } });
      }),
    );
  }

  async #preview({ frames, step }: Extract<FromRunner, { type: "preview" }>): Promise<void> {
    const data = await encodePreview({ ...frames, data: await readFile(frames.file) });
    await rm(frames.file, { force: true });
    if (!this.input.signal.aborted)
      this.input.emit({ preview: { content_type: "image/webp", data: Buffer.from(data), step } });
  }

  /** Each part of the speech goes out as a WAV of its own. */
  async #speechPart(event: Extract<FromRunner, { type: "audio" }>): Promise<void> {
    const { sampleRate, part, start, last, chunk, attempt } = event;
    const samples = await readFloats(event.file);
    await rm(event.file, { force: true });
    const data = Buffer.from(toWav({ samples, sampleRate }));
    const seconds = samples.length / sampleRate;
    if (!this.input.signal.aborted)
      this.input.emit({
        preview: {
          ...{ content_type: "audio/wav", data, step: part, start_seconds: start, seconds, last },
          ...{ chunk, attempt },
        },
      });
  }

  async #checkpoint({ file, step }: Extract<FromRunner, { type: "checkpoint" }>): Promise<void> {
    const { request, signal, emit } = this.input;
    const state = await readFile(file);
    await rm(file, { force: true });
    const target = {
      url: request.checkpoint?.put_url ?? "",
      contentType: "application/octet-stream",
      headers: {},
    };
    await put(target, state, signal);
    emit({ checkpointed: { step, sha256: sha256(state), bytes: state.length } });
  }
}

/** A job's id as a folder's name. */
export const safeName = (id: string): string => id.replace(/[^\w-]/g, "_").slice(0, 80);
