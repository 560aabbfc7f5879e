// Original file: cartoon/v1/job.proto

import type { Job as _cartoon_v1_Job, Job__Output as _cartoon_v1_Job__Output } from '../../cartoon/v1/Job.ts';

export interface CancelResponse {
  'job'?: (_cartoon_v1_Job | null);
}

export interface CancelResponse__Output {
  'job': (_cartoon_v1_Job__Output | null);
}
