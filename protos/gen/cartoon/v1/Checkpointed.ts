// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface Checkpointed {
  'step'?: (number);
  'sha256'?: (string);
  'bytes'?: (number | string | Long);
}

export interface Checkpointed__Output {
  'step': (number);
  'sha256': (string);
  'bytes': (number);
}
