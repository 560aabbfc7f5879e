import type { Receipt } from "@cartoon/protos/gen/Receipt";
import { AssetError } from "../assets/fetch.ts";
import { FfmpegKilled } from "../media/index.ts";
import type { AttemptEvent } from "./attempt.ts";
import { InputError } from "./join/inputs.ts";
import { RunnerLost } from "./runner-process.ts";
import { SpecError } from "./spec-from-wire.ts";
import { AttemptStopped } from "./stop.ts";
import { UploadError } from "./upload.ts";

/** An outcome of the runner that is not a result. */
export class RunFailed extends Error {
  readonly code: string;
  readonly retryable: boolean;
  constructor(code: string, message: string, retryable: boolean) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/** The last event of an attempt that has not succeeded: why, and whether another one may. */
export function terminalEvent(error: unknown, signal: AbortSignal, receipt: Receipt): AttemptEvent {
  const reason: unknown = signal.aborted ? signal.reason : error;
  if (reason instanceof AttemptStopped) {
    if (reason.kind === "canceled") return { canceled: { receipt } };
    const code = { fenced: "fenced", draining: "node_draining", deadline: "deadline_exceeded" }[reason.kind];
    return { failed: { code, message: reason.message, retryable: reason.kind !== "deadline", receipt } };
  }
  const failed = (code: string, retryable: boolean) => ({
    failed: { code, message: messageOf(reason), retryable, receipt },
  });
  if (reason instanceof SpecError) return failed("invalid_spec", false);
  if (reason instanceof RunnerLost) return failed("runner_lost", true);
  if (reason instanceof AssetError)
    return failed(reason.retryable ? "inputs_unavailable" : "invalid_spec", reason.retryable);
  if (reason instanceof InputError) return failed("inputs_unavailable", true);
  if (reason instanceof UploadError) return failed("upload_failed", true);
  if (reason instanceof RunFailed) return failed(reason.code, reason.retryable);
  if (reason instanceof FfmpegKilled) return failed("ffmpeg_lost", true);
  if (isTroubleOfTheMachine(reason)) return failed("node_trouble", true);
  return failed("internal", false);
}

/** A full disk, too many open files and the like: another node may do better. */
const TROUBLE = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]);
const isTroubleOfTheMachine = (error: unknown): boolean =>
  error instanceof Error && "code" in error && TROUBLE.has(String(error.code));

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
