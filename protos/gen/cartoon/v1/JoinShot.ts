// Original file: cartoon/v1/render.proto


export interface JoinShot {
  'job_id'?: (string);
}

export interface JoinShot__Output {
  'job_id': (string);
}
