// Original file: cartoon/v1/render.proto


export interface PromptAt {
  /**
   * Frame index from 0.
   */
  'frame'?: (number);
  'prompt'?: (string);
}

export interface PromptAt__Output {
  /**
   * Frame index from 0.
   */
  'frame': (number);
  'prompt': (string);
}
