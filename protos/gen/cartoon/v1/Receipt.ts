// Original file: cartoon/v1/node.proto

import type { StageSeconds as _cartoon_v1_StageSeconds, StageSeconds__Output as _cartoon_v1_StageSeconds__Output } from '../../cartoon/v1/StageSeconds.ts';

export interface Receipt {
  'steps_done'?: (number);
  'steps_total'?: (number);
  /**
   * Seconds that the device was held.
   */
  'device_seconds'?: (number | string);
  'stages'?: (_cartoon_v1_StageSeconds)[];
}

export interface Receipt__Output {
  'steps_done': (number);
  'steps_total': (number);
  /**
   * Seconds that the device was held.
   */
  'device_seconds': (number);
  'stages': (_cartoon_v1_StageSeconds__Output)[];
}
