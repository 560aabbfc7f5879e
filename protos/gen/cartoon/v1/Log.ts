// Original file: cartoon/v1/node.proto


export interface Log {
  /**
   * debug, info, warning or error
   */
  'level'?: (string);
  'message'?: (string);
}

export interface Log__Output {
  /**
   * debug, info, warning or error
   */
  'level': (string);
  'message': (string);
}
