// Original file: cartoon/v1/render.proto


export interface CharacterWeight {
  'name'?: (string);
  /**
   * LoRA weight, 0 to 2.
   */
  'weight'?: (number | string);
}

export interface CharacterWeight__Output {
  'name': (string);
  /**
   * LoRA weight, 0 to 2.
   */
  'weight': (number);
}
