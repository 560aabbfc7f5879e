// Original file: cartoon/v1/node.proto

import type { CharacterInfo as _cartoon_v1_CharacterInfo, CharacterInfo__Output as _cartoon_v1_CharacterInfo__Output } from '../../cartoon/v1/CharacterInfo.ts';

export interface PackInfo {
  'name'?: (string);
  'version'?: (string);
  'is_default'?: (boolean);
  'characters'?: (_cartoon_v1_CharacterInfo)[];
  /**
   * pack.json without its file hashes, for limits, defaults and suggestions.
   */
  'manifest_json'?: (string);
}

export interface PackInfo__Output {
  'name': (string);
  'version': (string);
  'is_default': (boolean);
  'characters': (_cartoon_v1_CharacterInfo__Output)[];
  /**
   * pack.json without its file hashes, for limits, defaults and suggestions.
   */
  'manifest_json': (string);
}
