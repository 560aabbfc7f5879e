// Original file: cartoon/v1/render.proto


/**
 * Every frame begins as this image, noised.
 */
export interface StartImage {
  /**
   * http, https, or data:image/png;base64,… (also jpeg, webp).
   */
  'url'?: (string);
  /**
   * How much is redrawn: 0.05 hardly anything, 1 everything.
   */
  'strength'?: (number | string);
}

/**
 * Every frame begins as this image, noised.
 */
export interface StartImage__Output {
  /**
   * http, https, or data:image/png;base64,… (also jpeg, webp).
   */
  'url': (string);
  /**
   * How much is redrawn: 0.05 hardly anything, 1 everything.
   */
  'strength': (number);
}
