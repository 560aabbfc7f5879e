// Original file: cartoon/v1/node.proto

import type { NodeStatus as _cartoon_v1_NodeStatus, NodeStatus__Output as _cartoon_v1_NodeStatus__Output } from '../../cartoon/v1/NodeStatus.ts';

export interface WatchResponse {
  'status'?: (_cartoon_v1_NodeStatus | null);
}

export interface WatchResponse__Output {
  'status': (_cartoon_v1_NodeStatus__Output | null);
}
