// Original file: cartoon/v1/node.proto


export interface StageSeconds {
  'stage'?: (string);
  'seconds'?: (number | string);
}

export interface StageSeconds__Output {
  'stage': (string);
  'seconds': (number);
}
