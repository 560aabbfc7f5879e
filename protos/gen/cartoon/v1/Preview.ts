// Original file: cartoon/v1/node.proto


/**
 * The clip as it is at a step (an image), or a finished part of the speech (audio/wav) to listen to meanwhile.
 */
export interface Preview {
  'content_type'?: (string);
  'data'?: (Buffer | Uint8Array | string);
  /**
   * Step of the sampler, or number of the part from 0.
   */
  'step'?: (number);
  /**
   * Of a part of the speech: where it begins in the dialogue, and how long it is.
   */
  'start_seconds'?: (number | string);
  'seconds'?: (number | string);
  /**
   * No part follows this one.
   */
  'last'?: (boolean);
}

/**
 * The clip as it is at a step (an image), or a finished part of the speech (audio/wav) to listen to meanwhile.
 */
export interface Preview__Output {
  'content_type': (string);
  'data': (Buffer);
  /**
   * Step of the sampler, or number of the part from 0.
   */
  'step': (number);
  /**
   * Of a part of the speech: where it begins in the dialogue, and how long it is.
   */
  'start_seconds': (number);
  'seconds': (number);
  /**
   * No part follows this one.
   */
  'last': (boolean);
}
