// Original file: cartoon/v1/node.proto

import type { NodeStatus as _cartoon_v1_NodeStatus, NodeStatus__Output as _cartoon_v1_NodeStatus__Output } from '../../cartoon/v1/NodeStatus.ts';
import type { PackInfo as _cartoon_v1_PackInfo, PackInfo__Output as _cartoon_v1_PackInfo__Output } from '../../cartoon/v1/PackInfo.ts';
import type { DeviceInfo as _cartoon_v1_DeviceInfo, DeviceInfo__Output as _cartoon_v1_DeviceInfo__Output } from '../../cartoon/v1/DeviceInfo.ts';

export interface DescribeResponse {
  'status'?: (_cartoon_v1_NodeStatus | null);
  'packs'?: (_cartoon_v1_PackInfo)[];
  'devices'?: (_cartoon_v1_DeviceInfo)[];
  /**
   * Semantic version of the node's software.
   */
  'version'?: (string);
}

export interface DescribeResponse__Output {
  'status': (_cartoon_v1_NodeStatus__Output | null);
  'packs': (_cartoon_v1_PackInfo__Output)[];
  'devices': (_cartoon_v1_DeviceInfo__Output)[];
  /**
   * Semantic version of the node's software.
   */
  'version': (string);
}
