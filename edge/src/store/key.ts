import { ApiError } from "../errors/table.ts";

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Checks a store key: 1 to 8 plain segments, no dot-dot, no leading dot, no separators of any system. */
export function parseStoreKey(key: string): string {
  const segments = key.split("/");
  if (segments.length > 8 || key.length > 512 || !segments.every((segment) => SEGMENT.test(segment)))
    throw new ApiError("not_found", "no such object");
  return key;
}

/** Where the artefacts of one attempt lie. */
export const attemptKey = (jobId: string, attempt: number, name: string) =>
  `renders/${jobId}/a${attempt}/${name}`;
/** The latest preview of a job. */
export const previewKey = (jobId: string) => `renders/${jobId}/preview`;
/** The folder of everything that belongs to a job. */
export const jobPrefix = (jobId: string) => `renders/${jobId}/`;
