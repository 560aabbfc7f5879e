// Original file: cartoon/v1/render.proto

import type { SpeechLine as _cartoon_v1_SpeechLine, SpeechLine__Output as _cartoon_v1_SpeechLine__Output } from '../../cartoon/v1/SpeechLine.ts';
import type { VoicePrompt as _cartoon_v1_VoicePrompt, VoicePrompt__Output as _cartoon_v1_VoicePrompt__Output } from '../../cartoon/v1/VoicePrompt.ts';
import type { Long } from '@grpc/proto-loader';

export interface SpeechSpec {
  'lines'?: (_cartoon_v1_SpeechLine)[];
  'max_new_tokens'?: (number);
  'guidance_scale'?: (number | string);
  'temperature'?: (number | string);
  'top_p'?: (number | string);
  'top_k'?: (number);
  'seed'?: (number | string | Long);
  'voices'?: (_cartoon_v1_VoicePrompt)[];
}

export interface SpeechSpec__Output {
  'lines': (_cartoon_v1_SpeechLine__Output)[];
  'max_new_tokens': (number);
  'guidance_scale': (number);
  'temperature': (number);
  'top_p': (number);
  'top_k': (number);
  'seed': (number);
  'voices': (_cartoon_v1_VoicePrompt__Output)[];
}
