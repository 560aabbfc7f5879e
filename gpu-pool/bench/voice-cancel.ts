/**
 * How soon a runner that speaks stops when it is told to: `bun gpu-pool/bench/voice-cancel.ts [cancels] [pack folder] [cpu|cuda]`.
 * A dialogue of twenty lines is canceled at moments spread over its whole length; each time is measured from the
 * message to the runner until its answer.
 */
import { startSpeaker } from "./voice-runner.ts";

const cancels = Number(process.argv[2] ?? 20);
const { runner, job, stop } = await startSpeaker(process.argv[3], process.argv[4]);

/** @returns milliseconds from the cancel to the answer, or null when the dialogue was over before */
async function cancelAfter(milliseconds: number, run: string): Promise<number | null> {
  const abort = new AbortController();
  let asked = 0;
  const timer = setTimeout(() => {
    asked = performance.now();
    abort.abort();
  }, milliseconds);
  const outcome = await runner.run({ ...job, run }, () => {}, abort.signal);
  clearTimeout(timer);
  return outcome.type === "canceled" ? performance.now() - asked : null;
}

const started = performance.now();
await runner.run({ ...job, run: "whole" }, () => {}, new AbortController().signal);
const whole = performance.now() - started;
console.log(`the whole dialogue takes ${(whole / 1000).toFixed(1)} s`);
const times: number[] = [];
for (let i = 0; i < cancels; i++) {
  const at = ((i + 0.5) / cancels) * whole;
  const time = await cancelAfter(at, `cancel-${i}`);
  if (time !== null) times.push(time);
}
times.sort((a, b) => a - b);
const shown = (value: number | undefined) => `${Math.round(value ?? 0)} ms`;
console.log(
  `${times.length} cancels: median ${shown(times[times.length >> 1])}, 90 % ${shown(times[Math.floor(times.length * 0.9)])}, longest ${shown(times.at(-1))}`,
);
await stop();
