// Original file: cartoon/v1/node.proto

import type { StageSeconds as _cartoon_v1_StageSeconds, StageSeconds__Output as _cartoon_v1_StageSeconds__Output } from '../../cartoon/v1/StageSeconds.ts';
import type { Long } from '@grpc/proto-loader';

export interface Receipt {
  'steps_done'?: (number);
  'steps_total'?: (number);
  /**
   * Seconds that the device was held.
   */
  'device_seconds'?: (number | string);
  'stages'?: (_cartoon_v1_StageSeconds)[];
  /**
   * Memory of the GPU in use at the end of the work, as the driver tells; runtimes keep what they once took. 0 without
   * a GPU.
   */
  'gpu_memory_bytes'?: (number | string | Long);
}

export interface Receipt__Output {
  'steps_done': (number);
  'steps_total': (number);
  /**
   * Seconds that the device was held.
   */
  'device_seconds': (number);
  'stages': (_cartoon_v1_StageSeconds__Output)[];
  /**
   * Memory of the GPU in use at the end of the work, as the driver tells; runtimes keep what they once took. 0 without
   * a GPU.
   */
  'gpu_memory_bytes': (number);
}
