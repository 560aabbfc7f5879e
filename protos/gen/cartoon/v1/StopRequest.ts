// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface StopRequest {
  'job_id'?: (string);
  'fence'?: (number | string | Long);
}

export interface StopRequest__Output {
  'job_id': (string);
  'fence': (number);
}
