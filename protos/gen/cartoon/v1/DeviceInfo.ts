// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface DeviceInfo {
  /**
   * "cpu" or "cuda".
   */
  'kind'?: (string);
  'name'?: (string);
  'memory_bytes'?: (number | string | Long);
}

export interface DeviceInfo__Output {
  /**
   * "cpu" or "cuda".
   */
  'kind': (string);
  'name': (string);
  'memory_bytes': (number);
}
