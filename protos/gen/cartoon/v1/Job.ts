// Original file: cartoon/v1/job.proto

import type { RenderSpec as _cartoon_v1_RenderSpec, RenderSpec__Output as _cartoon_v1_RenderSpec__Output } from '../../cartoon/v1/RenderSpec.ts';
import type { JobResult as _cartoon_v1_JobResult, JobResult__Output as _cartoon_v1_JobResult__Output } from '../../cartoon/v1/JobResult.ts';
import type { Warning as _cartoon_v1_Warning, Warning__Output as _cartoon_v1_Warning__Output } from '../../cartoon/v1/Warning.ts';
import type { JobError as _cartoon_v1_JobError, JobError__Output as _cartoon_v1_JobError__Output } from '../../cartoon/v1/JobError.ts';

export interface Job {
  'id'?: (string);
  /**
   * queued, running, committing, succeeded, failed, canceled or timed_out
   */
  'status'?: (string);
  'progress'?: (number | string);
  'stage'?: (string);
  'attempt'?: (number);
  /**
   * RFC 3339.
   */
  'created_at'?: (string);
  'started_at'?: (string);
  'completed_at'?: (string);
  'spec'?: (_cartoon_v1_RenderSpec | null);
  'results'?: (_cartoon_v1_JobResult)[];
  'warnings'?: (_cartoon_v1_Warning)[];
  'error'?: (_cartoon_v1_JobError | null);
}

export interface Job__Output {
  'id': (string);
  /**
   * queued, running, committing, succeeded, failed, canceled or timed_out
   */
  'status': (string);
  'progress': (number);
  'stage': (string);
  'attempt': (number);
  /**
   * RFC 3339.
   */
  'created_at': (string);
  'started_at': (string);
  'completed_at': (string);
  'spec': (_cartoon_v1_RenderSpec__Output | null);
  'results': (_cartoon_v1_JobResult__Output)[];
  'warnings': (_cartoon_v1_Warning__Output)[];
  'error': (_cartoon_v1_JobError__Output | null);
}
