// Original file: cartoon/v1/attach.proto

import type { DescribeResponse as _cartoon_v1_DescribeResponse, DescribeResponse__Output as _cartoon_v1_DescribeResponse__Output } from '../../cartoon/v1/DescribeResponse.ts';
import type { NodeStatus as _cartoon_v1_NodeStatus, NodeStatus__Output as _cartoon_v1_NodeStatus__Output } from '../../cartoon/v1/NodeStatus.ts';
import type { RunResponse as _cartoon_v1_RunResponse, RunResponse__Output as _cartoon_v1_RunResponse__Output } from '../../cartoon/v1/RunResponse.ts';
import type { StopResponse as _cartoon_v1_StopResponse, StopResponse__Output as _cartoon_v1_StopResponse__Output } from '../../cartoon/v1/StopResponse.ts';
import type { CallEnd as _cartoon_v1_CallEnd, CallEnd__Output as _cartoon_v1_CallEnd__Output } from '../../cartoon/v1/CallEnd.ts';

/**
 * From the node.
 */
export interface AttachRequest {
  /**
   * The call that it answers; 0 for `hello` and `status`.
   */
  'call'?: (number);
  /**
   * What Describe answers; the first message of a stream.
   */
  'hello'?: (_cartoon_v1_DescribeResponse | null);
  /**
   * What Watch streams; again at least every 5 seconds, as a sign of life.
   */
  'status'?: (_cartoon_v1_NodeStatus | null);
  'run'?: (_cartoon_v1_RunResponse | null);
  'stop'?: (_cartoon_v1_StopResponse | null);
  /**
   * The last message of a Run.
   */
  'end'?: (_cartoon_v1_CallEnd | null);
  'message'?: "hello"|"status"|"run"|"stop"|"end";
}

/**
 * From the node.
 */
export interface AttachRequest__Output {
  /**
   * The call that it answers; 0 for `hello` and `status`.
   */
  'call': (number);
  /**
   * What Describe answers; the first message of a stream.
   */
  'hello'?: (_cartoon_v1_DescribeResponse__Output | null);
  /**
   * What Watch streams; again at least every 5 seconds, as a sign of life.
   */
  'status'?: (_cartoon_v1_NodeStatus__Output | null);
  'run'?: (_cartoon_v1_RunResponse__Output | null);
  'stop'?: (_cartoon_v1_StopResponse__Output | null);
  /**
   * The last message of a Run.
   */
  'end'?: (_cartoon_v1_CallEnd__Output | null);
  'message'?: "hello"|"status"|"run"|"stop"|"end";
}
