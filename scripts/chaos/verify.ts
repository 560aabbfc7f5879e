import { createHash } from "node:crypto";
import { eventsAfter, getJob, type JobEvent, type JobWithResults, queueLoad } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import type { AcceptedJob } from "./clients.ts";
import type { World } from "./world.ts";

export interface Verdict {
  /** One line each; empty when every promise was kept. */
  problems: string[];
  outcomes: Record<string, number>;
  /** Error codes of the jobs that failed. */
  errors: Record<string, number>;
  attempts: number;
  /** Attempts that went on from a checkpoint. */
  resumed: number;
  results: number;
  events: number;
}

const TENANT = "local";
const EVENTS_AT_ONCE = 1_000;
const TERMINAL = new Set(["succeeded", "failed", "canceled", "timed_out"]);
/** Made from the pictures alone; the manifest tells of times too. */
const COMPARED = new Set(["poster.png", "clip.gif"]);

/** Waits until no job waits or runs any more. Throws when that takes too long. */
export async function settled(world: World, limitMs: number): Promise<void> {
  const until = Date.now() + limitMs;
  for (;;) {
    const load = await queueLoad(world.database).catch(() => undefined);
    if (load && load.queued + load.running === 0) return;
    if (Date.now() > until)
      throw new Error(
        `after ${limitMs / 1000} s ${load?.queued} jobs still wait and ${load?.running} still run`,
      );
    await Bun.sleep(200);
  }
}

/**
 * Goes through every accepted job: one terminal state, events without a hole, attempts one after the other, results
 * that can be read and have the right hash, equal renders equal to the bit.
 */
export async function verify(world: World, accepted: readonly AcceptedJob[]): Promise<Verdict> {
  const verdict: Verdict = {
    problems: [],
    outcomes: {},
    errors: {},
    attempts: 0,
    resumed: 0,
    results: 0,
    events: 0,
  };
  const ids = new Set(accepted.map(({ id }) => id));
  if (ids.size !== accepted.length) verdict.problems.push("two submissions were given the same job");
  const hashes = new Map<string, string>();
  for (const one of accepted) await verifyJob(world, one, verdict, hashes);
  return verdict;
}

async function verifyJob(
  world: World,
  accepted: AcceptedJob,
  verdict: Verdict,
  hashes: Map<string, string>,
): Promise<void> {
  const blame = (problem: string) => verdict.problems.push(`${accepted.id}: ${problem}`);
  const job = await getJob(world.database, { tenant: TENANT }, accepted.id).catch(() => undefined);
  if (!job) return void blame("an accepted job is lost");
  if (!isTerminal(job.status)) blame(`it is ${job.status}, no terminal state`);
  count(verdict.outcomes, job.status);
  if (job.error) count(verdict.errors, job.error.code);
  if (job.status === "canceled" && !accepted.cancelAsked) blame("nobody asked for its end");
  const events = await eventsAfter(world.database, job.id, 0, EVENTS_AT_ONCE);
  verdict.events += events.length;
  verdict.attempts += job.attempt;
  verdict.resumed += events.filter((event) => Number(event.data.resumed_step ?? 0) > 0).length;
  for (const problem of problemsOf(job, events)) blame(problem);
  if (job.status !== "succeeded") return;
  for (const problem of await resultProblems(world, job, accepted.kind, hashes)) blame(problem);
  verdict.results += job.results.length;
}

/** What is wrong with a job's history. */
export function problemsOf(job: JobWithResults, events: readonly JobEvent[]): string[] {
  const problems: string[] = [];
  const hole = events.findIndex((event, i) => event.seq !== i + 1);
  if (hole >= 0) problems.push(`event ${hole + 1} is missing`);
  if (job.eventSeq !== events.length) problems.push(`${events.length} events, but it counts ${job.eventSeq}`);
  const ends = events.filter(({ type }) => TERMINAL.has(type));
  if (ends.length !== 1) problems.push(`${ends.length} terminal events: ${ends.map(({ type }) => type)}`);
  if (events.at(-1)?.type !== job.status)
    problems.push(`its last event is ${events.at(-1)?.type}, its state ${job.status}`);
  const leases = events.filter(({ type }) => type === "leased").length;
  if (leases !== job.attempt) problems.push(`${leases} leases, but ${job.attempt} attempts`);
  // Leased, then back in the queue or at its end, before it is leased again: never two attempts at once.
  let held = false;
  for (const { type, seq } of events) {
    if (type === "leased" && held) problems.push(`event ${seq} leases it a second time at once`);
    if (type === "leased") held = true;
    if (type === "requeued" || TERMINAL.has(type)) held = false;
  }
  return problems;
}

async function resultProblems(
  world: World,
  job: JobWithResults,
  kind: number,
  hashes: Map<string, string>,
): Promise<string[]> {
  const problems: string[] = [];
  const response = await fetch(`${world.url}/v1/renders/${job.id}`);
  const shown = (await response.json()) as { results?: { name: string; url: string; sha256: string }[] };
  const names = shown.results
    ?.map(({ name }) => name)
    .sort()
    .join(" ");
  if (names !== "clip.gif manifest.json poster.png") problems.push(`its results are ${names}`);
  for (const { name, url, sha256 } of shown.results ?? []) {
    const read = await fetch(url);
    const hash = createHash("sha256")
      .update(new Uint8Array(await read.arrayBuffer()))
      .digest("hex");
    if (read.status !== 200 || hash !== sha256) problems.push(`${name} can't be read or has another hash`);
    if (!COMPARED.has(name)) continue;
    const known = hashes.get(`${kind} ${name}`) ?? hash;
    hashes.set(`${kind} ${name}`, known);
    if (hash !== known) problems.push(`${name} differs from the undisturbed one`);
  }
  return problems;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
