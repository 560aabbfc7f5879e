import { type AcceptedJob, KINDS, submit, submitAll, watch } from "./clients.ts";
import { unleash } from "./faults.ts";
import { Dice } from "./random.ts";
import { settled, type Verdict, verify } from "./verify.ts";
import { World, type WorldOptions } from "./world.ts";

export interface ChaosOptions extends WorldOptions {
  jobs: number;
  /** How long faults are let loose. */
  seconds: number;
  seed: number;
  /** How long the work may take to end once everything is healed. */
  settleSeconds: number;
  log: (line: string) => void;
}

export interface ChaosReport {
  options: ChaosOptions;
  verdict: Verdict;
  accepted: number;
  watched: number;
  faults: Map<string, number>;
  deaths: number;
  /** What could not be tried here, and why. */
  skipped: string[];
  seconds: number;
  folder: string;
}

/** Every so many jobs have somebody who watches their events. */
const WATCHED_EVERY = 8;
/** Submissions end before the faults do. */
const SUBMIT_PART = 0.8;

/** One run: start the world, undisturbed renders first, then jobs and faults at once, then the checks. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { jobs, seconds, log, seed } = options;
  const started = performance.now();
  log(`starting ${options.edges} edges and ${options.nodes} nodes on ${options.database}`);
  const world = await World.start(options);
  try {
    const undisturbed = await Promise.all(
      Array.from({ length: Math.min(KINDS + 1, jobs) }, (_, kind) =>
        submit(world.url, crypto.randomUUID(), kind),
      ),
    );
    await settled(world, options.settleSeconds * 1000);
    log(`undisturbed renders are done; ${jobs} jobs and ${seconds} s of faults`);
    const watchers = new Watchers(world.url);
    const load = submitAll({
      url: world.url,
      jobs: jobs - undisturbed.length,
      overMs: seconds * 1000 * SUBMIT_PART,
      dice: new Dice(seed),
      onAccepted: (job, i) => {
        if (i % WATCHED_EVERY === 0) watchers.add(job.id);
      },
    });
    const faults = await unleash(world, new Dice(seed + 1), Date.now() + seconds * 1000);
    log("everything is healed; waiting for the last jobs");
    const accepted: AcceptedJob[] = [...undisturbed, ...(await load)];
    await settled(world, options.settleSeconds * 1000);
    const verdict = await verify(world, accepted);
    verdict.problems.push(...(await watchers.problems()));
    return {
      ...{ options, verdict, faults, folder: world.folder },
      accepted: accepted.length,
      watched: watchers.size,
      deaths: [...world.edges, ...world.nodes].reduce((sum, victim) => sum + victim.deaths, 0),
      skipped: world.disk ? [] : ["full disk: this process may not mount a small file system"],
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    await world.stop();
  }
}

const WATCH_PATIENCE_MS = 10_000;

/** Those who follow jobs live: each must see every number once, in order, whatever happens to the edges. */
class Watchers {
  readonly #url: string;
  readonly #stop = new AbortController();
  readonly #seen = new Map<string, Promise<number[]>>();

  constructor(url: string) {
    this.#url = url;
  }

  get size(): number {
    return this.#seen.size;
  }

  add(id: string): void {
    this.#seen.set(id, watch(this.#url, id, this.#stop.signal));
  }

  async problems(): Promise<string[]> {
    const patience = setTimeout(() => this.#stop.abort(), WATCH_PATIENCE_MS);
    const problems: string[] = [];
    for (const [id, watching] of this.#seen) {
      const seen = await watching;
      if (seen.length === 0 || seen.some((seq, i) => seq !== i + 1))
        problems.push(`${id}: its watcher saw the events ${seen.join(" ")}`);
    }
    clearTimeout(patience);
    if (this.#stop.signal.aborted) problems.push("a watcher never saw the end of its job");
    return problems;
  }
}
