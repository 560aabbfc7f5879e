// Original file: cartoon/v1/node.proto


export interface StopResponse {
  /**
   * False when the node does not run that attempt.
   */
  'found'?: (boolean);
}

export interface StopResponse__Output {
  /**
   * False when the node does not run that attempt.
   */
  'found': (boolean);
}
