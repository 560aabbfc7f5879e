// Original file: cartoon/v1/render.proto


export interface SpeechLine {
  /**
   * Character name, or "S1"/"S2" where the script names none.
   */
  'speaker'?: (string);
  'text'?: (string);
}

export interface SpeechLine__Output {
  /**
   * Character name, or "S1"/"S2" where the script names none.
   */
  'speaker': (string);
  'text': (string);
}
