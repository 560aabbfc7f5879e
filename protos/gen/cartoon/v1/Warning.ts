// Original file: cartoon/v1/render.proto


export interface Warning {
  'field'?: (string);
  'given'?: (string);
  'used'?: (string);
  'rule'?: (string);
}

export interface Warning__Output {
  'field': (string);
  'given': (string);
  'used': (string);
  'rule': (string);
}
