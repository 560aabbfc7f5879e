import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import type { ClipResult } from "../pipelines/animatediff/index.ts";
import type { Speech } from "../pipelines/dia/index.ts";
import { speakerFocus } from "./focus.ts";
import type { FromRunner, RunnerJob, RunnerResult, SpeechFile, Spoken } from "./messages.ts";
import type { LoadedPack, Models } from "./models.ts";
import type { SpentMeter } from "./spent.ts";
import { readState, settingsDigest, writeState } from "./state-file.ts";

export interface JobContext {
  job: RunnerJob;
  models: Models;
  spent: SpentMeter;
  device: "cpu" | "cuda";
  signal: AbortSignal;
  send: (message: FromRunner) => void;
}

const PREVIEW_SECONDS = 4;

/** Draws and speaks. The picture comes first, so that a preview is there at once, unless it follows the speech. */
export async function runJob(context: JobContext): Promise<RunnerResult> {
  const { job, models, spent, send } = context;
  if (!models.isWarm(job.pack)) {
    send({ type: "progress", run: job.run, stage: "load", done: 0, total: 1 });
    const started = performance.now();
    await models.get(job.pack);
    spent.add("load", (performance.now() - started) / 1000);
    send({ type: "warm", warm: models.warm });
  }
  const loaded = await models.get(job.pack);
  const early = job.speech && pictureFollowsSpeech(job) ? await speak(context, loaded) : undefined;
  const drawn = job.clip ? await draw(context, loaded, early ?? job.spoken) : {};
  const speech = early ?? (job.speech ? await speak(context, loaded) : undefined);
  return { ...drawn, speech };
}

/** Does the dialogue decide about the picture: how long it lasts, or whom it shows? */
export function pictureFollowsSpeech({ clip, speech, extend }: RunnerJob): boolean {
  return Boolean(clip && speech && (extend || clip.speaker_focus > 0));
}

/** Lets messages in (a cancel among them): the engine's runs block the event loop. */
async function breathe(signal: AbortSignal): Promise<void> {
  await nextTick();
  signal.throwIfAborted();
}

async function draw(
  context: JobContext,
  { picture, pack }: LoadedPack,
  spoken?: Spoken,
): Promise<RunnerResult> {
  const { job, spent, send, signal, device } = context;
  const { run } = job;
  if (!picture || !job.clip) throw new Error(`pack "${job.pack}" does not draw`);
  const clip =
    job.extend && spoken ? extended(job.clip, spoken, pack.manifest.picture?.frames.max) : job.clip;
  const lines = clip.speaker_focus > 0 ? spoken?.lines : undefined;
  const digest = settingsDigest([clip, lines, pack.manifest.files, device, picture.characters]);
  const resume = await openState(context, digest);
  send({ type: "accepted", run, resumedStep: resume?.step ?? 0 });
  let checkpoints = 0;
  const result = await picture.generate(clip, {
    signal,
    previewEverySeconds: PREVIEW_SECONDS,
    focus: lines && speakerFocus(clip, { lines }),
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
  for (const { stage, seconds } of result.timings) spent.add(stage, seconds);
  for (const warning of result.warnings) send({ type: "warning", run, warning });
  return saveFrames(job, result);
}

function extended(clip: NonNullable<RunnerJob["clip"]>, { seconds }: Spoken, max = clip.num_frames) {
  return { ...clip, num_frames: Math.min(Math.max(clip.num_frames, Math.ceil(seconds * clip.fps)), max) };
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

async function speak({ job, spent, send, signal }: JobContext, { voice }: LoadedPack): Promise<SpeechFile> {
  const { run } = job;
  if (!voice || !job.speech) throw new Error(`pack "${job.pack}" does not speak`);
  const started = performance.now();
  const references = await Promise.all(
    job.references.map(async ({ character, file, transcript }) => ({
      character,
      transcript,
      wav: new Uint8Array(await readFile(file)),
    })),
  );
  try {
    const speech = await voice.speak(job.speech, {
      signal,
      references,
      cast: job.cast.length > 0 ? job.cast : undefined,
      onProgress: async ({ seconds, expectedSeconds }) => {
        const total = Math.max(expectedSeconds, seconds, 0.01);
        send({ type: "progress", run, stage: "speech", done: seconds, total });
        await breathe(signal);
      },
    });
    for (const warning of speech.warnings) send({ type: "warning", run, warning });
    return await saveSpeech(job, speech);
  } finally {
    spent.add("speech", (performance.now() - started) / 1000);
  }
}

async function saveFrames(job: RunnerJob, clip: ClipResult): Promise<RunnerResult> {
  const { frames, count, width, height, fps, scheduler, characters } = clip;
  const file = join(job.folder, "frames.rgb");
  await writeFile(file, frames);
  return { frames: { file, count, width, height, fps }, scheduler, characters };
}

async function saveSpeech(job: RunnerJob, speech: Speech): Promise<SpeechFile> {
  const { samples, sampleRate, lines, mouth } = speech;
  const file = join(job.folder, "speech.f32");
  await writeFile(file, new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
  const levels = Array.from(mouth.levels, (level) => Number(level.toFixed(2)));
  const seconds = samples.length / sampleRate;
  return { file, sampleRate, seconds, lines, mouth: { rate: mouth.rate, levels } };
}
