export type StopKind = "canceled" | "fenced" | "draining" | "deadline";

const MESSAGES: Record<StopKind, string> = {
  canceled: "the attempt was canceled",
  fenced: "a newer attempt of the same job has taken over",
  draining: "the node is shutting down",
  deadline: "the deadline has passed",
};

/** Reason of an aborted attempt; decides how its stream ends. */
export class AttemptStopped extends Error {
  override readonly name = "AttemptStopped";
  readonly kind: StopKind;

  constructor(kind: StopKind) {
    super(MESSAGES[kind]);
    this.kind = kind;
  }
}
