// Original file: cartoon/v1/job.proto

import type { Long } from '@grpc/proto-loader';

export interface JobServiceWatchResponse {
  'sequence'?: (number | string | Long);
  /**
   * Event type as in the HTTP event log.
   */
  'type'?: (string);
  'data_json'?: (string);
}

export interface JobServiceWatchResponse__Output {
  'sequence': (number);
  /**
   * Event type as in the HTTP event log.
   */
  'type': (string);
  'data_json': (string);
}
