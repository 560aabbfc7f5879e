// Original file: cartoon/v1/job.proto


export interface CancelRequest {
  'id'?: (string);
}

export interface CancelRequest__Output {
  'id': (string);
}
