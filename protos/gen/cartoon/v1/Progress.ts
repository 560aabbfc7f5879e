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
  /**
   * Seconds of speech made so far, and how many there will be by the present estimate; 0 outside the stage `speech`.
   */
  'speech_seconds'?: (number | string);
  'speech_seconds_expected'?: (number | string);
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
  /**
   * Seconds of speech made so far, and how many there will be by the present estimate; 0 outside the stage `speech`.
   */
  'speech_seconds': (number);
  'speech_seconds_expected': (number);
}
