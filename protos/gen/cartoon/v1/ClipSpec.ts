// Original file: cartoon/v1/render.proto

import type { CharacterWeight as _cartoon_v1_CharacterWeight, CharacterWeight__Output as _cartoon_v1_CharacterWeight__Output } from '../../cartoon/v1/CharacterWeight.ts';
import type { ContextSpec as _cartoon_v1_ContextSpec, ContextSpec__Output as _cartoon_v1_ContextSpec__Output } from '../../cartoon/v1/ContextSpec.ts';
import type { PromptAt as _cartoon_v1_PromptAt, PromptAt__Output as _cartoon_v1_PromptAt__Output } from '../../cartoon/v1/PromptAt.ts';
import type { LoraSource as _cartoon_v1_LoraSource, LoraSource__Output as _cartoon_v1_LoraSource__Output } from '../../cartoon/v1/LoraSource.ts';
import type { StartImage as _cartoon_v1_StartImage, StartImage__Output as _cartoon_v1_StartImage__Output } from '../../cartoon/v1/StartImage.ts';
import type { Long } from '@grpc/proto-loader';

export interface ClipSpec {
  'prompt'?: (string);
  /**
   * Absent (not empty) means zero embeddings where the model asks for them.
   */
  'negative_prompt'?: (string);
  'characters'?: (_cartoon_v1_CharacterWeight)[];
  /**
   * Pixels of the result. A pack that cannot draw this size draws its own and scales.
   */
  'width'?: (number);
  'height'?: (number);
  'num_frames'?: (number);
  'fps'?: (number | string);
  'num_inference_steps'?: (number);
  'guidance_scale'?: (number | string);
  'guidance_rescale'?: (number | string);
  /**
   * Scheduler preset name; empty means the pack's own.
   */
  'scheduler'?: (string);
  'context'?: (_cartoon_v1_ContextSpec | null);
  /**
   * 0 to 2^53 - 1.
   */
  'seed'?: (number | string | Long);
  'prompt_travel'?: (_cartoon_v1_PromptAt)[];
  'clip_skip'?: (number);
  /**
   * The last frame leads back into the first.
   */
  'loop'?: (boolean);
  /**
   * "equal" or "regional" (left/right masks).
   */
  'blend'?: (string);
  /**
   * 0 keeps the weights still; 1 lets them follow the speaker.
   */
  'speaker_focus'?: (number | string);
  /**
   * "full" or "fast" (approximations that cost some quality).
   */
  'quality'?: (string);
  /**
   * LoRAs on top of the characters' own.
   */
  'loras'?: (_cartoon_v1_LoraSource)[];
  /**
   * Absent for a clip that starts from noise.
   */
  'start_image'?: (_cartoon_v1_StartImage | null);
  /**
   * Sampling runs of FreeInit, steadier and as many times slower; 0 and 1 are none.
   */
  'free_init'?: (number);
  /**
   * FreeNoise for clips longer than one context window; absent means yes.
   */
  'free_noise'?: (boolean);
  '_negative_prompt'?: "negative_prompt";
  '_free_noise'?: "free_noise";
}

export interface ClipSpec__Output {
  'prompt': (string);
  /**
   * Absent (not empty) means zero embeddings where the model asks for them.
   */
  'negative_prompt'?: (string);
  'characters': (_cartoon_v1_CharacterWeight__Output)[];
  /**
   * Pixels of the result. A pack that cannot draw this size draws its own and scales.
   */
  'width': (number);
  'height': (number);
  'num_frames': (number);
  'fps': (number);
  'num_inference_steps': (number);
  'guidance_scale': (number);
  'guidance_rescale': (number);
  /**
   * Scheduler preset name; empty means the pack's own.
   */
  'scheduler': (string);
  'context': (_cartoon_v1_ContextSpec__Output | null);
  /**
   * 0 to 2^53 - 1.
   */
  'seed': (number);
  'prompt_travel': (_cartoon_v1_PromptAt__Output)[];
  'clip_skip': (number);
  /**
   * The last frame leads back into the first.
   */
  'loop': (boolean);
  /**
   * "equal" or "regional" (left/right masks).
   */
  'blend': (string);
  /**
   * 0 keeps the weights still; 1 lets them follow the speaker.
   */
  'speaker_focus': (number);
  /**
   * "full" or "fast" (approximations that cost some quality).
   */
  'quality': (string);
  /**
   * LoRAs on top of the characters' own.
   */
  'loras': (_cartoon_v1_LoraSource__Output)[];
  /**
   * Absent for a clip that starts from noise.
   */
  'start_image': (_cartoon_v1_StartImage__Output | null);
  /**
   * Sampling runs of FreeInit, steadier and as many times slower; 0 and 1 are none.
   */
  'free_init': (number);
  /**
   * FreeNoise for clips longer than one context window; absent means yes.
   */
  'free_noise'?: (boolean);
  '_negative_prompt'?: "negative_prompt";
  '_free_noise'?: "free_noise";
}
