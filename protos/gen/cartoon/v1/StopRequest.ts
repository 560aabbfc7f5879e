// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface StopRequest {
  'job_id'?: (string);
  'fence'?: (number | string | Long);
  /**
   * Decode the frames as they stand into the `partial_uploads` before it ends.
   */
  'partial'?: (boolean);
}

export interface StopRequest__Output {
  'job_id': (string);
  'fence': (number);
  /**
   * Decode the frames as they stand into the `partial_uploads` before it ends.
   */
  'partial': (boolean);
}
