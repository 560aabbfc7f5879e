// Original file: cartoon/v1/job.proto

import type { Job as _cartoon_v1_Job, Job__Output as _cartoon_v1_Job__Output } from '../../cartoon/v1/Job.ts';

export interface SubmitResponse {
  'job'?: (_cartoon_v1_Job | null);
}

export interface SubmitResponse__Output {
  'job': (_cartoon_v1_Job__Output | null);
}
