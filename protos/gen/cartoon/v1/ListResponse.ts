// Original file: cartoon/v1/job.proto

import type { Job as _cartoon_v1_Job, Job__Output as _cartoon_v1_Job__Output } from '../../cartoon/v1/Job.ts';

export interface ListResponse {
  'jobs'?: (_cartoon_v1_Job)[];
  'next_cursor'?: (string);
}

export interface ListResponse__Output {
  'jobs': (_cartoon_v1_Job__Output)[];
  'next_cursor': (string);
}
