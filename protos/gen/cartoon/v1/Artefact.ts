// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface Artefact {
  'name'?: (string);
  'content_type'?: (string);
  'bytes'?: (number | string | Long);
  'sha256'?: (string);
  'width'?: (number);
  'height'?: (number);
  'seconds'?: (number | string);
}

export interface Artefact__Output {
  'name': (string);
  'content_type': (string);
  'bytes': (number);
  'sha256': (string);
  'width': (number);
  'height': (number);
  'seconds': (number);
}
