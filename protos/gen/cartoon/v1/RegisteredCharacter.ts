// Original file: cartoon/v1/render.proto

import type { Long } from '@grpc/proto-loader';

/**
 * A character that a user has registered. Its files are named by their SHA-256; RunRequest says where they are.
 */
export interface RegisteredCharacter {
  'name'?: (string);
  'label'?: (string);
  'triggers'?: (string)[];
  /**
   * "S1" or "S2": the voice of the model that it prefers.
   */
  'speaker'?: (string);
  /**
   * Empty for a character without a LoRA.
   */
  'lora_sha256'?: (string);
  /**
   * Empty for a voice without a reference clip.
   */
  'voice_sha256'?: (string);
  /**
   * What is said in the reference clip.
   */
  'transcript'?: (string);
  /**
   * Pins the voice where there is no clip.
   */
  'voice_seed'?: (number | string | Long);
  /**
   * LoRA weight of the character alone, 0 to 2.
   */
  'weight'?: (number | string);
  '_voice_seed'?: "voice_seed";
}

/**
 * A character that a user has registered. Its files are named by their SHA-256; RunRequest says where they are.
 */
export interface RegisteredCharacter__Output {
  'name': (string);
  'label': (string);
  'triggers': (string)[];
  /**
   * "S1" or "S2": the voice of the model that it prefers.
   */
  'speaker': (string);
  /**
   * Empty for a character without a LoRA.
   */
  'lora_sha256': (string);
  /**
   * Empty for a voice without a reference clip.
   */
  'voice_sha256': (string);
  /**
   * What is said in the reference clip.
   */
  'transcript': (string);
  /**
   * Pins the voice where there is no clip.
   */
  'voice_seed'?: (number);
  /**
   * LoRA weight of the character alone, 0 to 2.
   */
  'weight': (number);
  '_voice_seed'?: "voice_seed";
}
