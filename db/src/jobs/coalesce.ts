import type { Database } from "../database.ts";

type Batch<I, O> = (db: Database, inputs: I[]) => Promise<(O | Error)[]>;

interface Waiting {
  input: unknown;
  resolve(outcome: unknown): void;
  reject(error: unknown): void;
}

const MAX_BATCH = 200;
/** More than one, so that Postgres writes one batch's log to disk while the next one is under way. */
const MAX_IN_FLIGHT = 3;
const lanes = new WeakMap<
  Database,
  Map<unknown, { waiting: Waiting[]; inFlight: number; scheduled: boolean }>
>();

/**
 * Gathers calls of the same batch verb while an earlier batch is on its way, so that a hundred concurrent requests
 * cost a few transactions. A call that finds nothing on its way starts in the same turn of the event loop.
 */
export function coalesce<I, O>(db: Database, batch: Batch<I, O>, input: I): Promise<O | Error> {
  const ofDatabase = lanes.get(db) ?? new Map();
  lanes.set(db, ofDatabase);
  const lane = ofDatabase.get(batch) ?? { waiting: [], inFlight: 0, scheduled: false };
  ofDatabase.set(batch, lane);

  const pump = async () => {
    lane.scheduled = false;
    if (lane.inFlight >= MAX_IN_FLIGHT || lane.waiting.length === 0) return;
    const taken: Waiting[] = lane.waiting.splice(0, MAX_BATCH);
    lane.inFlight++;
    try {
      await runBatch(db, batch, taken);
    } finally {
      lane.inFlight--;
      schedule();
    }
  };
  const schedule = () => {
    if (lane.scheduled || lane.waiting.length === 0) return;
    lane.scheduled = true;
    setImmediate(pump);
  };
  return new Promise<unknown>((resolve, reject) => {
    lane.waiting.push({ input, resolve, reject });
    schedule();
  }) as Promise<O | Error>;
}

/** When a batch breaks, each of it is tried alone: one input that the database can't hold costs nobody else. */
async function runBatch<I, O>(db: Database, batch: Batch<I, O>, taken: Waiting[]): Promise<void> {
  try {
    const inputs = taken.map((one) => one.input as I);
    const outcomes = await batch(db, inputs);
    taken.forEach((one, i) => {
      one.resolve(outcomes[i]);
    });
  } catch (error) {
    const [only] = taken;
    if (only && taken.length === 1) only.reject(error);
    else for (const one of taken) await runBatch(db, batch, [one]);
  }
}
