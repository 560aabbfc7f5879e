// Original file: cartoon/v1/job.proto

import type { Long } from '@grpc/proto-loader';

export interface JobServiceWatchRequest {
  'id'?: (string);
  'after_sequence'?: (number | string | Long);
}

export interface JobServiceWatchRequest__Output {
  'id': (string);
  'after_sequence': (number);
}
