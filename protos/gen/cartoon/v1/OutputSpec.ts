// Original file: cartoon/v1/render.proto


export interface OutputSpec {
  /**
   * Of "mp4", "gif", "wav", "poster".
   */
  'formats'?: (string)[];
  /**
   * "pingpong" (default), "hold", "loop", "trim", "pad" or "extend".
   */
  'fit'?: (string);
  'captions'?: (boolean);
}

export interface OutputSpec__Output {
  /**
   * Of "mp4", "gif", "wav", "poster".
   */
  'formats': (string)[];
  /**
   * "pingpong" (default), "hold", "loop", "trim", "pad" or "extend".
   */
  'fit': (string);
  'captions': (boolean);
}
