import { expect, test } from "bun:test";
import fc from "fast-check";
import { onEachDatabase } from "../../test/contract.ts";
import { manualClock, put, receipt } from "../../test/factories.ts";
import {
  beginCommit,
  cancel,
  commit,
  confirmCancel,
  type Database,
  eventsAfter,
  fail,
  getJob,
  isVerbError,
  lease,
  purgeQueue,
  renew,
  report,
  retry,
  sweep,
} from "../index.ts";

const acme = { tenant: "acme" };
const LEASE_MS = 10_000;
const VERBS = [
  "enqueue",
  "lease",
  "renew",
  "report",
  "beginCommit",
  "commit",
  "fail",
  "die",
  "cancel",
] as const;
const MORE_VERBS = ["confirmCancel", "retry", "sweep", "purge"] as const;

const step = fc.record({
  verb: fc.constantFrom(...VERBS, ...MORE_VERBS),
  job: fc.nat({ max: 3 }),
  stale: fc.constantFrom(false, false, false, true),
  wait: fc.constantFrom(0, 0, 0, 500, LEASE_MS + 1),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What the log of a job may look like, written as one letter an event. */
const LETTERS: Record<string, string> = {
  queued: "Q",
  leased: "L",
  progress: "p",
  cancel_requested: "x",
  committing: "C",
  requeued: "R",
  succeeded: "S",
  failed: "F",
  canceled: "X",
  timed_out: "T",
};
const ATTEMPT = "Lp*(xp*)?(Cp*)?";
const ENDED = `Q(${ATTEMPT}R)*(${ATTEMPT}[SFXT]|[XT])`;
const LIFE = new RegExp(`^(${ENDED})*(Q(${ATTEMPT}R)*(${ATTEMPT})?)?$`);

class World {
  readonly ids: string[] = [];
  readonly fences = new Map<string, number>();
  readonly successes = new Map<string, number>();
  readonly db: Database;
  readonly advance: (ms: number) => void;

  constructor(db: Database, advance: (ms: number) => void) {
    this.db = db;
    this.advance = advance;
  }

  async take({ verb, job, stale, wait }: Step): Promise<void> {
    this.advance(wait);
    if (verb === "enqueue" || this.ids.length === 0) this.ids.push((await put(this.db)).job.id);
    const id = this.ids[job % this.ids.length] ?? "";
    const before = await getJob(this.db, acme, id);
    const attempt = { id, fence: stale ? before.fence - 1 : before.fence };
    try {
      await this.run(verb, attempt);
    } catch (error) {
      if (!isVerbError(error)) throw error;
      // A refusal leaves no trace.
      expect(await getJob(this.db, acme, id)).toEqual(before);
      return;
    }
    const byRunner = ["renew", "report", "beginCommit", "commit", "fail", "die", "confirmCancel"].includes(
      verb,
    );
    if (byRunner) {
      expect(stale).toBe(false);
      expect(["running", "committing"]).toContain(before.status);
    }
    if (verb === "commit") this.successes.set(id, (this.successes.get(id) ?? 0) + 1);
  }

  async run(verb: Step["verb"], attempt: { id: string; fence: number }): Promise<unknown> {
    const { db } = this;
    const failure = { code: "x", message: "x", receipt: receipt(0.1) };
    switch (verb) {
      case "enqueue":
        return;
      case "lease":
        for (const { id, fence } of await lease(db, { edgeId: "e", leaseMs: LEASE_MS, count: 2 })) {
          expect(fence).toBeGreaterThan(this.fences.get(id) ?? 0);
          this.fences.set(id, fence);
        }
        return;
      case "renew":
        return renew(db, attempt, LEASE_MS);
      case "report":
        return report(db, { ...attempt, events: [{ type: "progress", data: {} }], progress: 0.5 });
      case "beginCommit":
        return beginCommit(db, attempt, LEASE_MS);
      case "commit":
        return commit(db, attempt, { results: [], receipt: receipt(0.1) });
      case "fail":
        return fail(db, { ...attempt, ...failure, retryable: true });
      case "die":
        return fail(db, { ...attempt, ...failure, retryable: true, nodeDied: true });
      case "cancel":
        return cancel(db, acme, attempt.id);
      case "confirmCancel":
        return confirmCancel(db, attempt, null);
      case "retry":
        return retry(db, acme, attempt.id);
      case "sweep":
        return sweep(db);
      case "purge":
        return purgeQueue(db, acme);
    }
  }

  /** Each log is whole and tells a life that there can be, which ends where the job stands. */
  async check(): Promise<void> {
    for (const id of this.ids) {
      const job = await getJob(this.db, acme, id);
      const events = await eventsAfter(this.db, id);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
      expect(job.eventSeq).toBe(events.length);
      const life = events.map(({ type }) => LETTERS[type] ?? "?").join("");
      expect(life).toMatch(LIFE);
      const ended = ["succeeded", "failed", "canceled", "timed_out"].includes(job.status);
      expect(/[SFXT]$/.test(life)).toBe(ended);
      if (ended) expect(events.at(-1)?.type).toBe(job.status);
      expect(job.completedAt !== null).toBe(ended);
      expect((life.match(/S/g) ?? []).length).toBe(this.successes.get(id) ?? 0);
      expect(this.successes.get(id) ?? 0).toBeLessThan(2);
    }
  }
}

onEachDatabase("verbs in any order", (backend) => {
  test("keep every promise", async () => {
    const runs = backend.name === "sqlite" ? 50 : 8;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { clock, advance } = manualClock();
        const db = await backend.open({ clock });
        const world = new World(db, advance);
        for (const one of steps) await world.take(one);
        await world.check();
        await db.close();
      }),
      { numRuns: runs },
    );
  });
});
