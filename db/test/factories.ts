import type { RenderSpec } from "@cartoon/protos";
import {
  type Attempt,
  type Database,
  type Enqueued,
  type EnqueueInput,
  enqueue,
  type Job,
  lease,
  type Receipt,
} from "../src/index.ts";

export const SECRET_KEY = "a secret of the operator, 32 bytes or more";

/** A small, legal speech render. */
export function speechSpec(text = "[S1] Hello!"): RenderSpec {
  return {
    pack: "toon",
    clip: null,
    speech: {
      lines: [{ speaker: "S1", text }],
      max_new_tokens: 512,
      guidance_scale: 3,
      temperature: 1.2,
      top_p: 0.95,
      top_k: 45,
      seed: 7,
      voices: [],
    },
    output: { formats: ["wav"], fit: "hold", captions: false },
    deterministic: false,
  } as RenderSpec;
}

export function put(db: Database, input: Partial<EnqueueInput> = {}): Promise<Enqueued> {
  return enqueue(db, { tenant: "acme", spec: speechSpec(), ...input });
}

/** Enqueues a job, leases it and gives its attempt. */
export async function putRunning(db: Database, input: Partial<EnqueueInput> = {}): Promise<Attempt> {
  const { job } = await put(db, input);
  const [leased] = await lease(db, { edgeId: "edge-1", nodeId: "node-1", leaseMs: 10_000, ids: [job.id] });
  if (!leased) throw new Error("The job could not be leased.");
  return attemptOf(leased);
}

export const attemptOf = ({ id, fence }: Job): Attempt => ({ id, fence });

export function receipt(deviceSeconds = 2): Receipt {
  return {
    stepsDone: 8,
    stepsTotal: 8,
    deviceSeconds,
    stages: [{ stage: "denoise", seconds: deviceSeconds }],
  };
}

/** A clock that a test moves by hand. */
export function manualClock(start = Date.UTC(2026, 10, 26, 12)) {
  const time = { now: start };
  const advance = (ms: number) => {
    time.now += ms;
  };
  return { clock: () => time.now, advance, time };
}
