// Original file: cartoon/v1/node.proto

import type { NodeHealth as _cartoon_v1_NodeHealth, NodeHealth__Output as _cartoon_v1_NodeHealth__Output } from '../../cartoon/v1/NodeHealth.ts';

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
}
