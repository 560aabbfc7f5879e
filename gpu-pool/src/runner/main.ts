// The child process that owns every ONNX session of one device. It talks to the supervisor over IPC alone.

import { breathe } from "../breathe.ts";
import { type ClipAssistant, isOutOfMemory } from "../pipelines/animatediff/index.ts";
import { answerPass, openAssistant } from "./assist.ts";
import type { FromRunner, PassRequest, RunnerJob, RunnerSetup, Sharing, ToRunner } from "./messages.ts";
import { Models } from "./models.ts";
import { Partner } from "./partner.ts";
import { runJob } from "./run-job.ts";
import { SpentMeter } from "./spent.ts";

const send = (message: FromRunner): void => {
  process.send?.(message);
};

let models: Models | undefined;
let setup: RunnerSetup | undefined;
interface Run {
  pack: string;
  abort: AbortController;
  finish: AbortController;
  partner: Partner;
  ended: Promise<void>;
}
/** What is under way: one clip at most, and any number of dialogues. */
const runs = new Map<string, Run>();
/** Whose clip this runner takes passes of, while it has nothing of its own to do. */
let assisting: { run: string; assistant: Promise<ClipAssistant> } | undefined;

async function start(given: RunnerSetup): Promise<void> {
  const started = performance.now();
  setup = given;
  try {
    models = await Models.open(given);
    send({ type: "ready", warm: models.warm, seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    send({ type: "setup_failed", message: messageOf(error), lacksMemory: isOutOfMemory(error) });
  }
}

async function run(job: RunnerJob): Promise<void> {
  const spent = new SpentMeter(job.clip?.num_inference_steps ?? 0);
  const abort = new AbortController();
  const partner = new Partner(job.run, job.folder, send);
  const finish = new AbortController();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const others = [...runs.values()].filter(({ pack }) => pack !== job.pack);
  runs.set(job.run, { pack: job.pack, abort, finish, partner, ended });
  assisting = undefined;
  try {
    // Another pack takes the place of the one in memory.
    await Promise.all(others.map((other) => other.ended));
    if (!models || !setup) throw new Error("the runner is not ready");
    const device = setup.device.kind;
    const signals = { signal: abort.signal, finish: finish.signal };
    const deterministic = job.deterministic || setup.deterministic === true;
    const result = await runJob({
      job: { ...job, deterministic },
      models,
      spent,
      device,
      ...signals,
      partner,
      send,
    });
    send({ type: "done", run: job.run, result, spent: spent.read() });
  } catch (error) {
    if (abort.signal.aborted) send({ type: "canceled", run: job.run, spent: spent.read() });
    else send({ type: "failed", run: job.run, ...classify(error), spent: spent.read() });
  } finally {
    runs.delete(job.run);
    end();
  }
}

async function assist(sharing: Sharing): Promise<void> {
  const { run } = sharing;
  try {
    if (!models || runs.size > 0) throw new Error("the runner has work of its own");
    const mine = { run, assistant: openAssistant(models, sharing) };
    assisting = mine;
    await mine.assistant;
    send({ type: "assisting", run });
  } catch (error) {
    if (assisting?.run === run) assisting = undefined;
    send({ type: "assisting", run, problem: messageOf(error) });
  }
}

/** Those that wait; the next one begins when messages were read, as the runner may have got work of its own. */
let passes: Promise<void> = Promise.resolve();

async function takePass(run: string, pass: PassRequest): Promise<void> {
  await breathe();
  const assistant = assisting?.run === run ? await assisting.assistant.catch(() => undefined) : undefined;
  const answer = assistant
    ? await answerPass(assistant, pass)
    : { id: pass.id, problem: "the runner has work of its own" };
  send({ type: "passed", run, answer });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const FILES: Readonly<Record<string, string>> = {
  LoraError: "invalid_lora",
  SafetensorsError: "invalid_lora",
  WavError: "invalid_voice",
  VoiceClipError: "invalid_voice",
};

/** Running out of memory is worth another node; anything else would fail there just the same. */
function classify(error: unknown): { code: string; message: string; retryable: boolean } {
  const message = messageOf(error);
  if (isOutOfMemory(error)) return { code: "out_of_memory", message, retryable: true };
  // Files of the user's own: nothing is wrong with this node, and no other one would take them.
  const code = error instanceof Error ? FILES[error.name] : undefined;
  if (code !== undefined) return { code, message, retryable: false };
  return { code: "internal", message, retryable: /CUDA|cuDNN|cublas/i.test(message) };
}

function setPartner(run: string, there: boolean): void {
  const current = runs.get(run);
  if (current) current.partner.there = there;
}

process.on("message", (message: ToRunner) => {
  if (message.type === "setup") void start(message.setup);
  else if (message.type === "run") void run(message.job);
  else if (message.type === "cancel") runs.get(message.run)?.abort.abort();
  else if (message.type === "finish") runs.get(message.run)?.finish.abort();
  else if (message.type === "partner") setPartner(message.run, message.there);
  else if (message.type === "passed") runs.get(message.run)?.partner.answered(message.answer);
  else if (message.type === "assist") void assist(message.sharing);
  else if (message.type === "pass") passes = passes.then(() => takePass(message.run, message.pass));
  else if (message.type === "assist_end" && assisting?.run === message.run) assisting = undefined;
  else if (message.type === "exit") process.exit(0);
});
// A supervisor that is gone takes its runners along; Ctrl-C reaches both, and the supervisor decides.
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
