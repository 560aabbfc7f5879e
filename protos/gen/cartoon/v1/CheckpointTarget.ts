// Original file: cartoon/v1/node.proto


export interface CheckpointTarget {
  'put_url'?: (string);
  /**
   * Empty when there is none to go on from.
   */
  'get_url'?: (string);
  'get_sha256'?: (string);
  'every_steps'?: (number);
}

export interface CheckpointTarget__Output {
  'put_url': (string);
  /**
   * Empty when there is none to go on from.
   */
  'get_url': (string);
  'get_sha256': (string);
  'every_steps': (number);
}
