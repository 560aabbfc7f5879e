// Original file: cartoon/v1/job.proto

import type { RenderSpec as _cartoon_v1_RenderSpec, RenderSpec__Output as _cartoon_v1_RenderSpec__Output } from '../../cartoon/v1/RenderSpec.ts';

export interface SubmitRequest {
  'spec'?: (_cartoon_v1_RenderSpec | null);
  'idempotency_key'?: (string);
  /**
   * low, normal (default) or high
   */
  'priority'?: (string);
}

export interface SubmitRequest__Output {
  'spec': (_cartoon_v1_RenderSpec__Output | null);
  'idempotency_key': (string);
  /**
   * low, normal (default) or high
   */
  'priority': (string);
}
