// Original file: cartoon/v1/node.proto


export interface Preview {
  'content_type'?: (string);
  'data'?: (Buffer | Uint8Array | string);
  'step'?: (number);
}

export interface Preview__Output {
  'content_type': (string);
  'data': (Buffer);
  'step': (number);
}
