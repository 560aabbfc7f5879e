import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClipSpec } from "@cartoon/protos";
import { breathe } from "../breathe.ts";
import type { Pack } from "../packs/index.ts";
import {
  ClipOutOfMemory,
  type GenerateOptions,
  isOutOfMemory,
  MOST_FRAMES,
} from "../pipelines/animatediff/index.ts";
import type { JobContext } from "./context.ts";
import { speakerFocus } from "./focus.ts";
import { FrameFileWriter } from "./frame-file.ts";
import type { FrameFile, RunnerJob, RunnerResult, Spoken } from "./messages.ts";
import type { LoadedPicture } from "./models.ts";
import { readState, settingsDigest, writeState } from "./state-file.ts";

const PREVIEW_SECONDS = 4;

/**
 * Draws the clip of a job. Where the pack's models do not load (most often a motion adapter that is broken) or the
 * device has too little memory whatever is tried, the substitute draws it, with a warning.
 */
export async function draw(context: JobContext, spoken?: Spoken): Promise<RunnerResult> {
  const { job, send, signal } = context;
  if (!job.clip) throw new Error("the job has no clip");
  const { substitute } = job;
  try {
    return await drawWith(context, job.pack, job.clip, spoken);
  } catch (error) {
    if (error instanceof ClipOutOfMemory)
      for (const warning of error.warnings) send({ type: "warning", run: job.run, warning });
    const why = signal.aborted ? undefined : reasonToSubstitute(error);
    if (!why || !substitute) throw error;
    const rule = `${why}; ${substitute.pack} stands in for it`;
    const warnings = [
      { field: "pack", given: job.pack, used: substitute.pack, rule },
      ...substitute.warnings,
    ];
    for (const warning of warnings) send({ type: "warning", run: job.run, warning });
    return await drawWith(context, substitute.pack, substitute.clip, spoken);
  }
}

function reasonToSubstitute(error: unknown): string | undefined {
  if (isOutOfMemory(error)) return "the device ran out of memory";
  return error instanceof NotLoaded ? `the pack does not load (${error.message})` : undefined;
}

/** The picture models of a pack could not be had. */
class NotLoaded extends Error {
  override readonly name = "NotLoaded";
}

async function loaded(context: JobContext, pack: string, clip: ClipSpec): Promise<LoadedPicture> {
  const { job, models, spent, send } = context;
  const started = performance.now();
  const warm = models.isWarm(pack, ["picture"]);
  if (!warm) send({ type: "progress", run: job.run, stage: "load", done: 0, total: 1 });
  try {
    return await models.picture(pack, { deterministic: job.deterministic, clip });
  } catch (error) {
    throw new NotLoaded(error instanceof Error ? error.message : String(error));
  } finally {
    if (!warm) spent.add("load", (performance.now() - started) / 1000);
    send({ type: "warm", warm: models.warm });
  }
}

async function drawWith(
  context: JobContext,
  name: string,
  asked: ClipSpec,
  spoken?: Spoken,
): Promise<RunnerResult> {
  const { job, spent, send, signal, finish, device, partner } = context;
  const { run } = job;
  const whole: ExtendedClip = job.extend && spoken ? extended(context, asked, spoken) : asked;
  const { pipeline, pack, mode, tooLarge, window } = await loaded(context, name, whole);
  if (tooLarge) {
    const rule = "the device ran out of memory while the models were loaded";
    send({ type: "warning", run, warning: { field: "memory", given: "full", used: "small", rule } });
  }
  const clip = window ? inWindows(context, whole, pack, window) : whole;
  const lines = clip.speaker_focus > 0 ? spoken?.lines : undefined;
  const guidancePasses = job.shared || mode.memory === "small" ? 2 : 1;
  const used = { ...mode, guidancePasses } as const;
  const start = job.startImage && { sha256: job.startImage.sha256 };
  const digest = settingsDigest([clip, lines, pack.manifest.files, device, used, pipeline.characters, start]);
  const resume = await openState(context, digest);
  send({ type: "accepted", run, resumedStep: resume?.step ?? 0 });
  if (job.shared) send({ type: "share", run, sharing: { run, pack: name, clip, lines, mode } });
  let checkpoints = 0;
  const writer = new FrameFileWriter(job.folder, clip.fps);
  let frames: FrameFile | undefined;
  const drawing = pipeline.generate(clip, {
    ...{ signal, finish },
    previewEverySeconds: PREVIEW_SECONDS,
    halves: job.shared ?? false,
    partner: job.shared ? partner : undefined,
    focus: lines && speakerFocus(clip, { lines }),
    firstImage: await firstImage(job),
    freeInitIterations: clip.free_init,
    freeNoise: clip.free_noise,
    onStep: async ({ step, steps }) => {
      spent.stepsDone = step;
      spent.stepsTotal = steps;
      send({ type: "progress", run, stage: "denoise", done: step, total: steps });
      await breathe(signal);
    },
    onPreview: async ({ data, step, ...frames }) => {
      const file = join(job.folder, `preview-${step}.rgb`);
      await writeFile(file, data);
      send({ type: "preview", run, step, frames: { ...frames, file } });
    },
    onFrames: async (chunk, first) => {
      frames = await writer.write(chunk, first);
      send({ type: "frames", run, frames });
      send({ type: "progress", run, stage: "decode", done: first + chunk.count, total: clip.num_frames });
      await breathe(signal);
    },
    checkpoint: {
      everySteps: job.checkpointEvery,
      resume: resume?.state,
      save: async (state, step) => {
        const file = join(job.folder, `state-${checkpoints++}.bin`);
        await writeState(file, state, step, digest);
        send({ type: "checkpoint", run, file, step });
      },
    },
  });
  const result = await drawing.finally(() => writer.close());
  if (partner.passes > 0) {
    const message = `${partner.passes} passes were done on another device`;
    send({ type: "log", run, level: "info", message });
  }
  for (const { stage, seconds } of result.timings) spent.add(stage, seconds);
  for (const warning of result.warnings) send({ type: "warning", run, warning });
  const { version } = pack.manifest;
  const { scheduler, characters } = result;
  return {
    ...{ frames, scheduler, characters },
    mode: used,
    pack: { name, version },
    startImage: start,
  };
}

type ExtendedClip = ClipSpec & { extended?: boolean };

/** As many frames as the dialogue lasts, drawn in context windows. */
function extended({ job, send }: JobContext, clip: ClipSpec, { seconds }: Spoken): ExtendedClip {
  const wanted = Math.max(clip.num_frames, Math.ceil(seconds * clip.fps));
  if (wanted > MOST_FRAMES) {
    const rule = `a clip has at most ${MOST_FRAMES} frames; it begins again while the dialogue goes on`;
    const frames = { given: `${wanted} frames`, used: `${MOST_FRAMES} frames` };
    send({ type: "warning", run: job.run, warning: { field: "output.fit", ...frames, rule } });
  }
  return { ...clip, num_frames: Math.min(wanted, MOST_FRAMES), extended: true };
}

/** In smaller windows than the pack's own, for which memory is too short. */
function inWindows({ job, send }: JobContext, clip: ExtendedClip, pack: Pack, window: number): ExtendedClip {
  const frames = pack.manifest.picture?.frames;
  const rule = "the device has too little memory for more frames in one pass";
  const change = { field: "context.window", given: String(frames?.window), used: String(window), rule };
  send({ type: "warning", run: job.run, warning: change });
  const context = clip.context ?? { window, overlap: frames?.overlap ?? 0, schedule: "static" as const };
  return { ...clip, context: { ...context, window } };
}

async function openState({ job, send }: JobContext, digest: Buffer) {
  if (!job.resume) return undefined;
  try {
    return await readState(job.resume, digest);
  } catch (error) {
    const message = `starting anew: ${error instanceof Error ? error.message : String(error)}`;
    send({ type: "log", run: job.run, level: "warning", message });
    return undefined;
  }
}

async function firstImage({ startImage }: RunnerJob): Promise<GenerateOptions["firstImage"]> {
  if (!startImage) return undefined;
  const { file, width, height, strength } = startImage;
  return { image: { data: new Uint8Array(await readFile(file)), count: 1, width, height }, strength };
}
