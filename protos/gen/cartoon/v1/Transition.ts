// Original file: cartoon/v1/render.proto


export interface Transition {
  /**
   * "cut" or "crossfade"
   */
  'type'?: (string);
  /**
   * Length of a cross-fade; 0 for a cut.
   */
  'seconds'?: (number | string);
}

export interface Transition__Output {
  /**
   * "cut" or "crossfade"
   */
  'type': (string);
  /**
   * Length of a cross-fade; 0 for a cut.
   */
  'seconds': (number);
}
