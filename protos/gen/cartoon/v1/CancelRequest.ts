// Original file: cartoon/v1/job.proto


export interface CancelRequest {
  'id'?: (string);
  /**
   * Make a rough clip and poster of the frames as they stand; they are the job's results.
   */
  'partial'?: (boolean);
}

export interface CancelRequest__Output {
  'id': (string);
  /**
   * Make a rough clip and poster of the frames as they stand; they are the job's results.
   */
  'partial': (boolean);
}
