/** States of a job. The last four are terminal. */
export const JOB_STATUSES = [
  "queued",
  "running",
  "committing",
  "succeeded",
  "failed",
  "canceled",
  "timed_out",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const TERMINAL_STATUSES = [
  "succeeded",
  "failed",
  "canceled",
  "timed_out",
] as const satisfies JobStatus[];

export function isTerminal(status: JobStatus): boolean {
  return (TERMINAL_STATUSES as readonly JobStatus[]).includes(status);
}

/** Every artefact a node may make, with its media type. */
export const ARTEFACTS = {
  "clip.mp4": "video/mp4",
  "clip.gif": "image/gif",
  "speech.wav": "audio/wav",
  "poster.png": "image/png",
  "captions.vtt": "text/vtt",
  "manifest.json": "application/json",
} as const;
export type ArtefactName = keyof typeof ARTEFACTS;
