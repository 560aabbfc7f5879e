// Original file: cartoon/v1/attach.proto


export interface CallEnd {
  /**
   * A gRPC status code; 0 when the Run has said everything.
   */
  'code'?: (number);
  'details'?: (string);
}

export interface CallEnd__Output {
  /**
   * A gRPC status code; 0 when the Run has said everything.
   */
  'code': (number);
  'details': (string);
}
