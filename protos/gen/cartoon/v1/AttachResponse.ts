// Original file: cartoon/v1/attach.proto

import type { RunRequest as _cartoon_v1_RunRequest, RunRequest__Output as _cartoon_v1_RunRequest__Output } from '../../cartoon/v1/RunRequest.ts';
import type { StopRequest as _cartoon_v1_StopRequest, StopRequest__Output as _cartoon_v1_StopRequest__Output } from '../../cartoon/v1/StopRequest.ts';
import type { CancelCall as _cartoon_v1_CancelCall, CancelCall__Output as _cartoon_v1_CancelCall__Output } from '../../cartoon/v1/CancelCall.ts';

/**
 * From the edge. One without a message is a sign of life, at least every 5 seconds.
 */
export interface AttachResponse {
  'call'?: (number);
  'run'?: (_cartoon_v1_RunRequest | null);
  'stop'?: (_cartoon_v1_StopRequest | null);
  /**
   * The one who asked for this Run is gone.
   */
  'cancel'?: (_cartoon_v1_CancelCall | null);
  'message'?: "run"|"stop"|"cancel";
}

/**
 * From the edge. One without a message is a sign of life, at least every 5 seconds.
 */
export interface AttachResponse__Output {
  'call': (number);
  'run'?: (_cartoon_v1_RunRequest__Output | null);
  'stop'?: (_cartoon_v1_StopRequest__Output | null);
  /**
   * The one who asked for this Run is gone.
   */
  'cancel'?: (_cartoon_v1_CancelCall__Output | null);
  'message'?: "run"|"stop"|"cancel";
}
