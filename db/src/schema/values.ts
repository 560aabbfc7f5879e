/** Data of an event, of a node's status or of a character: any JSON object. */
export type EventData = Record<string, unknown>;

/** What a dialect keeps beside the spec to answer in its own shape, e.g. the original input. Never secrets. */
export type Extras = Record<string, unknown>;

/** Where another node can go on from: `step` of the denoise loop, and the object that holds latents and random state. */
export interface Checkpoint {
  step: number;
  sha256: string;
  storageKey: string;
  bytes: number;
}

/** What an attempt has cost; `stages` in seconds. */
export interface Receipt {
  stepsDone: number;
  stepsTotal: number;
  deviceSeconds: number;
  stages: { stage: string; seconds: number }[];
  /** Of the GPU, in use at the end of the work; absent where there is none. */
  gpuMemoryBytes?: number;
}

export const SCOPES = ["render", "read", "cancel", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Limits of a key; what is left out falls back to the edge's configuration. */
export interface ApiKeyLimits {
  requestsPerMinute?: number;
  queuedJobs?: number;
  deviceSecondsPerDay?: number;
}
