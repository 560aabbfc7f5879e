/**
 * How soon a dialogue can be heard: `bun gpu-pool/bench/voice-first.ts [dialogues] [pack folder] [cpu|cuda]`.
 * From the message to a runner until there is a second of sound, for dialogues of two lines one after another.
 */
import { readFile, rm } from "node:fs/promises";
import { startSpeaker } from "./voice-runner.ts";

const { runner, job, stop } = await startSpeaker(process.argv[3], process.argv[4]);
const times: number[] = [];
const wholes: number[] = [];
for (let seed = 0; seed < Number(process.argv[2] ?? 10); seed++) {
  const lines = job.speech.lines.slice(0, 2);
  const started = performance.now();
  const reading: Promise<void>[] = [];
  let seconds = 0;
  let first: number | undefined;
  const hear = async (file: string, sampleRate: number) => {
    seconds += (await readFile(file)).length / 4 / sampleRate;
    if (seconds >= 1) first ??= performance.now() - started;
    await rm(file);
  };
  await runner.run(
    { ...job, run: `first-${seed}`, speech: { ...job.speech, lines, seed } },
    (event) => {
      if (event.type === "audio") reading.push(hear(event.file, event.sampleRate));
    },
    new AbortController().signal,
  );
  await Promise.all(reading);
  wholes.push(performance.now() - started);
  times.push(first ?? Number.NaN);
}
times.sort((a, b) => a - b);
const shown = (value: number | undefined) => `${Math.round(value ?? 0)} ms`;
const mean = wholes.reduce((a, b) => a + b, 0) / wholes.length;
console.log(
  `first second of ${times.length} dialogues: median ${shown(times[times.length >> 1])}, longest ${shown(times.at(-1))}; the whole dialogue ${shown(mean)}`,
);
await stop();
