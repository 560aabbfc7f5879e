export type { QueueLimits } from "./admission.ts";
export { type CancelOptions, cancel, confirmCancel, wantsPartial } from "./cancel.ts";
export { beginCommit, commit } from "./commit.ts";
export { countByTenant, countJobs, type JobCounts } from "./count.ts";
export type { EnqueueInput } from "./draft.ts";
export { type Enqueued, enqueue, enqueueMany } from "./enqueue.ts";
export { estimateJob, estimateNew, type QueueEstimate } from "./estimate.ts";
export { eventsAfter, type JobEvent, type LifeEvent, type NewEvent } from "./events.ts";
export { type Failure, fail } from "./fail.ts";
export type { Reader } from "./find.ts";
export { fingerprint } from "./fingerprint.ts";
export {
  getJob,
  getPreview,
  getSpeechPart,
  type JobPreview,
  type JobWithResults,
  openSecrets,
} from "./get.ts";
export { type Job, type JobResult, PRIORITIES, type Priority } from "./job.ts";
export { type LeaseInput, lease, peekQueue } from "./lease.ts";
export { cursorAfter, type JobPage, listJobs } from "./list.ts";
export { type QueueLoad, queueLoad } from "./load.ts";
export { purgeQueue } from "./purge.ts";
export { type Renewed, renew } from "./renew.ts";
export { type Report, type Reported, report } from "./report.ts";
export {
  type Discarded,
  deleteJob,
  deleteOldJobs,
  expiredResults,
  forgetResults,
  prune,
} from "./retention.ts";
export { retry } from "./retry.ts";
export { type Swept, sweep } from "./sweep.ts";
export type { Attempt } from "./transition.ts";
