// Original file: cartoon/v1/node.proto

import type { NodeHealth as _cartoon_v1_NodeHealth, NodeHealth__Output as _cartoon_v1_NodeHealth__Output } from '../../cartoon/v1/NodeHealth.ts';
import type { NodeUsage as _cartoon_v1_NodeUsage, NodeUsage__Output as _cartoon_v1_NodeUsage__Output } from '../../cartoon/v1/NodeUsage.ts';

export interface NodeStatus {
  'node_id'?: (string);
  'health'?: (_cartoon_v1_NodeHealth);
  'permits_total'?: (number);
  'permits_free'?: (number);
  /**
   * Packs and LoRAs that are loaded.
   */
  'warm'?: (string)[];
  /**
   * Why SETUP_FAILED or DEFUNCT.
   */
  'detail'?: (string);
  'usage'?: (_cartoon_v1_NodeUsage | null);
  /**
   * Jobs that only speak, beyond the permits: they share the runner that has the voice.
   */
  'speech_permits_total'?: (number);
  'speech_permits_free'?: (number);
}

export interface NodeStatus__Output {
  'node_id': (string);
  'health': (_cartoon_v1_NodeHealth__Output);
  'permits_total': (number);
  'permits_free': (number);
  /**
   * Packs and LoRAs that are loaded.
   */
  'warm': (string)[];
  /**
   * Why SETUP_FAILED or DEFUNCT.
   */
  'detail': (string);
  'usage': (_cartoon_v1_NodeUsage__Output | null);
  /**
   * Jobs that only speak, beyond the permits: they share the runner that has the voice.
   */
  'speech_permits_total': (number);
  'speech_permits_free': (number);
}
