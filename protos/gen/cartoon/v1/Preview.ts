// Original file: cartoon/v1/node.proto


/**
 * The clip as it is at a step (an image), or a part of the speech (audio/wav) to listen to meanwhile.
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
  /**
   * The piece of the dialogue that is spoken in one go, from 0. A part replaces all parts of its chunk that have a smaller
   * attempt: the chunk was spoken again.
   */
  'chunk'?: (number);
  'attempt'?: (number);
}

/**
 * The clip as it is at a step (an image), or a part of the speech (audio/wav) to listen to meanwhile.
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
  /**
   * The piece of the dialogue that is spoken in one go, from 0. A part replaces all parts of its chunk that have a smaller
   * attempt: the chunk was spoken again.
   */
  'chunk': (number);
  'attempt': (number);
}
