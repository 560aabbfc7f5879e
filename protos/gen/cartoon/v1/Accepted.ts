// Original file: cartoon/v1/node.proto


export interface Accepted {
  'node_id'?: (string);
  'device'?: (string);
  /**
   * Step the attempt goes on from; 0 when it starts anew.
   */
  'resumed_step'?: (number);
}

export interface Accepted__Output {
  'node_id': (string);
  'device': (string);
  /**
   * Step the attempt goes on from; 0 when it starts anew.
   */
  'resumed_step': (number);
}
