// Original file: cartoon/v1/job.proto

import type { Long } from '@grpc/proto-loader';

export interface JobResult {
  'name'?: (string);
  'url'?: (string);
  'content_type'?: (string);
  'bytes'?: (number | string | Long);
  'sha256'?: (string);
}

export interface JobResult__Output {
  'name': (string);
  'url': (string);
  'content_type': (string);
  'bytes': (number);
  'sha256': (string);
}
