// Original file: cartoon/v1/render.proto


export interface ContextSpec {
  /**
   * Frames per UNet pass; 0 means the pack's own window.
   */
  'window'?: (number);
  'overlap'?: (number);
  /**
   * "static" or "uniform".
   */
  'schedule'?: (string);
}

export interface ContextSpec__Output {
  /**
   * Frames per UNet pass; 0 means the pack's own window.
   */
  'window': (number);
  'overlap': (number);
  /**
   * "static" or "uniform".
   */
  'schedule': (string);
}
