// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface AssetSource {
  'sha256'?: (string);
  'get_url'?: (string);
  'bytes'?: (number | string | Long);
}

export interface AssetSource__Output {
  'sha256': (string);
  'get_url': (string);
  'bytes': (number);
}
