// Original file: cartoon/v1/job.proto


export interface GetRequest {
  'id'?: (string);
}

export interface GetRequest__Output {
  'id': (string);
}
