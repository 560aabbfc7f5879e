// Original file: cartoon/v1/node.proto


export interface Progress {
  /**
   * load, speech, denoise, decode, mux or upload
   */
  'stage'?: (string);
  /**
   * 0 to 1 over the whole job.
   */
  'fraction'?: (number | string);
  'step'?: (number);
  'steps'?: (number);
  'eta_seconds'?: (number | string);
}

export interface Progress__Output {
  /**
   * load, speech, denoise, decode, mux or upload
   */
  'stage': (string);
  /**
   * 0 to 1 over the whole job.
   */
  'fraction': (number);
  'step': (number);
  'steps': (number);
  'eta_seconds': (number);
}
