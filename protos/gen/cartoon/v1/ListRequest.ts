// Original file: cartoon/v1/job.proto


export interface ListRequest {
  'limit'?: (number);
  'cursor'?: (string);
  'status'?: (string);
}

export interface ListRequest__Output {
  'limit': (number);
  'cursor': (string);
  'status': (string);
}
