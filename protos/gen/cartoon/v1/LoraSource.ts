// Original file: cartoon/v1/render.proto


/**
 * A LoRA that a request brings along.
 */
export interface LoraSource {
  'url'?: (string);
  /**
   * 0 to 2.
   */
  'weight'?: (number | string);
  /**
   * Empty: whatever the URL gives. The manifest tells what it gave.
   */
  'sha256'?: (string);
}

/**
 * A LoRA that a request brings along.
 */
export interface LoraSource__Output {
  'url': (string);
  /**
   * 0 to 2.
   */
  'weight': (number);
  /**
   * Empty: whatever the URL gives. The manifest tells what it gave.
   */
  'sha256': (string);
}
