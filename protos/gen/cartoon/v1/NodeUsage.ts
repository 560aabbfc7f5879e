// Original file: cartoon/v1/node.proto

import type { GpuUsage as _cartoon_v1_GpuUsage, GpuUsage__Output as _cartoon_v1_GpuUsage__Output } from '../../cartoon/v1/GpuUsage.ts';
import type { Long } from '@grpc/proto-loader';

/**
 * What the node measures of itself every few seconds.
 */
export interface NodeUsage {
  /**
   * As the driver tells; none where there is no GPU.
   */
  'gpus'?: (_cartoon_v1_GpuUsage)[];
  /**
   * Resident memory of the runner processes; 0 where it can't be read.
   */
  'runner_memory_bytes'?: (number | string | Long);
  /**
   * Times that other LoRA weights went into the model than those that were there, since the node started.
   */
  'lora_swaps'?: (number | string | Long);
}

/**
 * What the node measures of itself every few seconds.
 */
export interface NodeUsage__Output {
  /**
   * As the driver tells; none where there is no GPU.
   */
  'gpus': (_cartoon_v1_GpuUsage__Output)[];
  /**
   * Resident memory of the runner processes; 0 where it can't be read.
   */
  'runner_memory_bytes': (number);
  /**
   * Times that other LoRA weights went into the model than those that were there, since the node started.
   */
  'lora_swaps': (number);
}
