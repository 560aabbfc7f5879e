// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface GpuUsage {
  'index'?: (number);
  'memory_used_bytes'?: (number | string | Long);
  'memory_total_bytes'?: (number | string | Long);
  /**
   * 0 to 1.
   */
  'utilization'?: (number | string);
}

export interface GpuUsage__Output {
  'index': (number);
  'memory_used_bytes': (number);
  'memory_total_bytes': (number);
  /**
   * 0 to 1.
   */
  'utilization': (number);
}
