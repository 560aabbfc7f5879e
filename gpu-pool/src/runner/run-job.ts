import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { breathe } from "../breathe.ts";
import type { Speech } from "../pipelines/dia/index.ts";
import type { JobContext } from "./context.ts";
import { draw } from "./draw.ts";
import type { RunnerJob, RunnerResult, SpeechFile } from "./messages.ts";
import type { LoadedVoice } from "./models.ts";

/** Draws and speaks. The picture comes first, so that a preview is there at once, unless it follows the speech. */
export async function runJob(context: JobContext): Promise<RunnerResult> {
  const { job, models } = context;
  await models.keepOnly(job.pack);
  const follows = pictureFollowsSpeech(job);
  const early = follows ? await speak(context) : undefined;
  if (follows && !early) return {};
  // Loaded first, so that the memory it takes is known when the picture's is planned.
  if (job.speech) await loaded(context);
  const drawn = job.clip ? await draw(context, early ?? job.spoken) : {};
  const speech = early ?? (job.speech ? await speak(context) : undefined);
  return { ...drawn, speech };
}

/** Does the dialogue decide about the picture: how long it lasts, or whom it shows? */
export function pictureFollowsSpeech({ clip, speech, extend }: RunnerJob): boolean {
  return Boolean(clip && speech && (extend || clip.speaker_focus > 0));
}

async function loaded({ job, models, spent, send }: JobContext): Promise<LoadedVoice> {
  if (models.isWarm(job.pack, ["voice"])) return models.voice(job.pack);
  send({ type: "progress", run: job.run, stage: "load", done: 0, total: 1 });
  const started = performance.now();
  const voice = await models.voice(job.pack);
  spent.add("load", (performance.now() - started) / 1000);
  send({ type: "warm", warm: models.warm });
  return voice;
}

/** @returns undefined when the run is to end with what it has */
async function speak(context: JobContext): Promise<SpeechFile | undefined> {
  const { job, spent, send, finish } = context;
  if (finish.aborted) return undefined;
  const signal = AbortSignal.any([context.signal, finish]);
  const { run } = job;
  if (!job.speech) throw new Error("the job has no speech");
  const { voice } = await loaded(context);
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
      deterministic: job.deterministic,
      references,
      characters: job.characters,
      cast: job.cast.length > 0 ? job.cast : undefined,
      onProgress: async ({ seconds, expectedSeconds }) => {
        const total = Math.max(expectedSeconds, seconds, 0.01);
        send({ type: "progress", run, stage: "speech", done: seconds, total });
        await breathe(signal);
      },
      onAudio: async ({ samples, part, ...place }) => {
        const file = join(job.folder, `speech-${part}.f32`);
        await writeFile(file, bytesOf(samples));
        send({ type: "audio", run, file, part, ...place });
        await breathe(signal);
      },
    });
    for (const warning of speech.warnings) send({ type: "warning", run, warning });
    return await saveSpeech(job, speech);
  } catch (error) {
    if (finish.aborted && !context.signal.aborted) return undefined;
    throw error;
  } finally {
    spent.add("speech", (performance.now() - started) / 1000);
  }
}

async function saveSpeech(job: RunnerJob, speech: Speech): Promise<SpeechFile> {
  const { samples, sampleRate, lines, mouth } = speech;
  const file = join(job.folder, "speech.f32");
  await writeFile(file, bytesOf(samples));
  const levels = Array.from(mouth.levels, (level) => Number(level.toFixed(2)));
  const seconds = samples.length / sampleRate;
  return { file, sampleRate, seconds, lines, mouth: { rate: mouth.rate, levels } };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);
