// Original file: cartoon/v1/render.proto

import type { ClipSpec as _cartoon_v1_ClipSpec, ClipSpec__Output as _cartoon_v1_ClipSpec__Output } from '../../cartoon/v1/ClipSpec.ts';
import type { SpeechSpec as _cartoon_v1_SpeechSpec, SpeechSpec__Output as _cartoon_v1_SpeechSpec__Output } from '../../cartoon/v1/SpeechSpec.ts';
import type { OutputSpec as _cartoon_v1_OutputSpec, OutputSpec__Output as _cartoon_v1_OutputSpec__Output } from '../../cartoon/v1/OutputSpec.ts';
import type { RegisteredCharacter as _cartoon_v1_RegisteredCharacter, RegisteredCharacter__Output as _cartoon_v1_RegisteredCharacter__Output } from '../../cartoon/v1/RegisteredCharacter.ts';
import type { JoinSpec as _cartoon_v1_JoinSpec, JoinSpec__Output as _cartoon_v1_JoinSpec__Output } from '../../cartoon/v1/JoinSpec.ts';

export interface RenderSpec {
  /**
   * Model pack; empty means the node's default pack.
   */
  'pack'?: (string);
  /**
   * Absent for a job that only speaks.
   */
  'clip'?: (_cartoon_v1_ClipSpec | null);
  /**
   * Absent for a job that only draws.
   */
  'speech'?: (_cartoon_v1_SpeechSpec | null);
  'output'?: (_cartoon_v1_OutputSpec | null);
  /**
   * Bit-identical results on the same device type, at some cost in speed on a GPU.
   */
  'deterministic'?: (boolean);
  /**
   * Characters beside those of the pack that clip or speech use, as they were when the render was submitted.
   */
  'registered'?: (_cartoon_v1_RegisteredCharacter)[];
  /**
   * Instead of clip and speech: joins clips that are there. RunRequest says where they are.
   */
  'join'?: (_cartoon_v1_JoinSpec | null);
}

export interface RenderSpec__Output {
  /**
   * Model pack; empty means the node's default pack.
   */
  'pack': (string);
  /**
   * Absent for a job that only speaks.
   */
  'clip': (_cartoon_v1_ClipSpec__Output | null);
  /**
   * Absent for a job that only draws.
   */
  'speech': (_cartoon_v1_SpeechSpec__Output | null);
  'output': (_cartoon_v1_OutputSpec__Output | null);
  /**
   * Bit-identical results on the same device type, at some cost in speed on a GPU.
   */
  'deterministic': (boolean);
  /**
   * Characters beside those of the pack that clip or speech use, as they were when the render was submitted.
   */
  'registered': (_cartoon_v1_RegisteredCharacter__Output)[];
  /**
   * Instead of clip and speech: joins clips that are there. RunRequest says where they are.
   */
  'join': (_cartoon_v1_JoinSpec__Output | null);
}
