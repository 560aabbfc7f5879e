// Original file: cartoon/v1/node.proto


export interface CharacterInfo {
  'name'?: (string);
  'label'?: (string);
  'triggers'?: (string)[];
  'speaker'?: (string);
}

export interface CharacterInfo__Output {
  'name': (string);
  'label': (string);
  'triggers': (string)[];
  'speaker': (string);
}
