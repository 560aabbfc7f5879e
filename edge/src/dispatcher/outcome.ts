import { type Attempt, type Failure, isVerbError, type Receipt } from "@cartoon/db";
import type { Artefact__Output } from "@cartoon/protos/gen/Artefact";
import type { Receipt__Output } from "@cartoon/protos/gen/Receipt";
import type { ServiceError } from "@grpc/grpc-js";

export type AttemptFailure = Omit<Failure, keyof Attempt>;

/** How an attempt ended, as far as its node or its call tells. */
export type Outcome =
  | { kind: "succeeded"; artefacts: Artefact__Output[]; receipt: Receipt }
  | { kind: "failed"; failure: AttemptFailure }
  /** `artefacts` are what was made of the frames that were there, where that was asked for. */
  | { kind: "canceled"; receipt: Receipt | null; artefacts: Artefact__Output[] }
  /** Fenced off, timed out or gone: somebody else has decided what becomes of the job. */
  | { kind: "abandoned" };

export const toReceipt = (receipt: Receipt__Output | null | undefined): Receipt => ({
  stepsDone: receipt?.steps_done ?? 0,
  stepsTotal: receipt?.steps_total ?? 0,
  deviceSeconds: receipt?.device_seconds ?? 0,
  stages: (receipt?.stages ?? []).map(({ stage, seconds }) => ({ stage, seconds })),
  ...(receipt && receipt.gpu_memory_bytes > 0 ? { gpuMemoryBytes: receipt.gpu_memory_bytes } : {}),
});

export function receiptOf(outcome: Outcome): Receipt | null {
  if (outcome.kind === "failed") return outcome.failure.receipt ?? null;
  return outcome.kind === "abandoned" ? null : outcome.receipt;
}

/** True where a verb refused because the attempt is no longer ours. */
export const isLost = (error: unknown): boolean =>
  isVerbError(error, "stale_fence") ||
  isVerbError(error, "invalid_transition") ||
  isVerbError(error, "not_found");

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}
