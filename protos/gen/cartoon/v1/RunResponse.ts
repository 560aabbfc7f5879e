// Original file: cartoon/v1/node.proto

import type { Accepted as _cartoon_v1_Accepted, Accepted__Output as _cartoon_v1_Accepted__Output } from '../../cartoon/v1/Accepted.ts';
import type { Progress as _cartoon_v1_Progress, Progress__Output as _cartoon_v1_Progress__Output } from '../../cartoon/v1/Progress.ts';
import type { Preview as _cartoon_v1_Preview, Preview__Output as _cartoon_v1_Preview__Output } from '../../cartoon/v1/Preview.ts';
import type { Checkpointed as _cartoon_v1_Checkpointed, Checkpointed__Output as _cartoon_v1_Checkpointed__Output } from '../../cartoon/v1/Checkpointed.ts';
import type { Log as _cartoon_v1_Log, Log__Output as _cartoon_v1_Log__Output } from '../../cartoon/v1/Log.ts';
import type { Warning as _cartoon_v1_Warning, Warning__Output as _cartoon_v1_Warning__Output } from '../../cartoon/v1/Warning.ts';
import type { Artefact as _cartoon_v1_Artefact, Artefact__Output as _cartoon_v1_Artefact__Output } from '../../cartoon/v1/Artefact.ts';
import type { Succeeded as _cartoon_v1_Succeeded, Succeeded__Output as _cartoon_v1_Succeeded__Output } from '../../cartoon/v1/Succeeded.ts';
import type { Failed as _cartoon_v1_Failed, Failed__Output as _cartoon_v1_Failed__Output } from '../../cartoon/v1/Failed.ts';
import type { Canceled as _cartoon_v1_Canceled, Canceled__Output as _cartoon_v1_Canceled__Output } from '../../cartoon/v1/Canceled.ts';
import type { Long } from '@grpc/proto-loader';

export interface RunResponse {
  /**
   * Rises by one from 1 within an attempt.
   */
  'sequence'?: (number | string | Long);
  'accepted'?: (_cartoon_v1_Accepted | null);
  'progress'?: (_cartoon_v1_Progress | null);
  'preview'?: (_cartoon_v1_Preview | null);
  'checkpointed'?: (_cartoon_v1_Checkpointed | null);
  'log'?: (_cartoon_v1_Log | null);
  'warning'?: (_cartoon_v1_Warning | null);
  'artefact'?: (_cartoon_v1_Artefact | null);
  'succeeded'?: (_cartoon_v1_Succeeded | null);
  'failed'?: (_cartoon_v1_Failed | null);
  'canceled'?: (_cartoon_v1_Canceled | null);
  'event'?: "accepted"|"progress"|"preview"|"checkpointed"|"log"|"warning"|"artefact"|"succeeded"|"failed"|"canceled";
}

export interface RunResponse__Output {
  /**
   * Rises by one from 1 within an attempt.
   */
  'sequence': (number);
  'accepted'?: (_cartoon_v1_Accepted__Output | null);
  'progress'?: (_cartoon_v1_Progress__Output | null);
  'preview'?: (_cartoon_v1_Preview__Output | null);
  'checkpointed'?: (_cartoon_v1_Checkpointed__Output | null);
  'log'?: (_cartoon_v1_Log__Output | null);
  'warning'?: (_cartoon_v1_Warning__Output | null);
  'artefact'?: (_cartoon_v1_Artefact__Output | null);
  'succeeded'?: (_cartoon_v1_Succeeded__Output | null);
  'failed'?: (_cartoon_v1_Failed__Output | null);
  'canceled'?: (_cartoon_v1_Canceled__Output | null);
  'event'?: "accepted"|"progress"|"preview"|"checkpointed"|"log"|"warning"|"artefact"|"succeeded"|"failed"|"canceled";
}
