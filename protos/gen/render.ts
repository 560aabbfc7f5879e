import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { CharacterWeight as _cartoon_v1_CharacterWeight, CharacterWeight__Output as _cartoon_v1_CharacterWeight__Output } from './cartoon/v1/CharacterWeight.ts';
import type { ClipSpec as _cartoon_v1_ClipSpec, ClipSpec__Output as _cartoon_v1_ClipSpec__Output } from './cartoon/v1/ClipSpec.ts';
import type { ContextSpec as _cartoon_v1_ContextSpec, ContextSpec__Output as _cartoon_v1_ContextSpec__Output } from './cartoon/v1/ContextSpec.ts';
import type { JoinShot as _cartoon_v1_JoinShot, JoinShot__Output as _cartoon_v1_JoinShot__Output } from './cartoon/v1/JoinShot.ts';
import type { JoinSpec as _cartoon_v1_JoinSpec, JoinSpec__Output as _cartoon_v1_JoinSpec__Output } from './cartoon/v1/JoinSpec.ts';
import type { LoraSource as _cartoon_v1_LoraSource, LoraSource__Output as _cartoon_v1_LoraSource__Output } from './cartoon/v1/LoraSource.ts';
import type { OutputSpec as _cartoon_v1_OutputSpec, OutputSpec__Output as _cartoon_v1_OutputSpec__Output } from './cartoon/v1/OutputSpec.ts';
import type { PromptAt as _cartoon_v1_PromptAt, PromptAt__Output as _cartoon_v1_PromptAt__Output } from './cartoon/v1/PromptAt.ts';
import type { RegisteredCharacter as _cartoon_v1_RegisteredCharacter, RegisteredCharacter__Output as _cartoon_v1_RegisteredCharacter__Output } from './cartoon/v1/RegisteredCharacter.ts';
import type { RenderSpec as _cartoon_v1_RenderSpec, RenderSpec__Output as _cartoon_v1_RenderSpec__Output } from './cartoon/v1/RenderSpec.ts';
import type { SpeechLine as _cartoon_v1_SpeechLine, SpeechLine__Output as _cartoon_v1_SpeechLine__Output } from './cartoon/v1/SpeechLine.ts';
import type { SpeechSpec as _cartoon_v1_SpeechSpec, SpeechSpec__Output as _cartoon_v1_SpeechSpec__Output } from './cartoon/v1/SpeechSpec.ts';
import type { StartImage as _cartoon_v1_StartImage, StartImage__Output as _cartoon_v1_StartImage__Output } from './cartoon/v1/StartImage.ts';
import type { Transition as _cartoon_v1_Transition, Transition__Output as _cartoon_v1_Transition__Output } from './cartoon/v1/Transition.ts';
import type { VoicePrompt as _cartoon_v1_VoicePrompt, VoicePrompt__Output as _cartoon_v1_VoicePrompt__Output } from './cartoon/v1/VoicePrompt.ts';
import type { Warning as _cartoon_v1_Warning, Warning__Output as _cartoon_v1_Warning__Output } from './cartoon/v1/Warning.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  cartoon: {
    v1: {
      CharacterWeight: MessageTypeDefinition<_cartoon_v1_CharacterWeight, _cartoon_v1_CharacterWeight__Output>
      ClipSpec: MessageTypeDefinition<_cartoon_v1_ClipSpec, _cartoon_v1_ClipSpec__Output>
      ContextSpec: MessageTypeDefinition<_cartoon_v1_ContextSpec, _cartoon_v1_ContextSpec__Output>
      JoinShot: MessageTypeDefinition<_cartoon_v1_JoinShot, _cartoon_v1_JoinShot__Output>
      JoinSpec: MessageTypeDefinition<_cartoon_v1_JoinSpec, _cartoon_v1_JoinSpec__Output>
      LoraSource: MessageTypeDefinition<_cartoon_v1_LoraSource, _cartoon_v1_LoraSource__Output>
      OutputSpec: MessageTypeDefinition<_cartoon_v1_OutputSpec, _cartoon_v1_OutputSpec__Output>
      PromptAt: MessageTypeDefinition<_cartoon_v1_PromptAt, _cartoon_v1_PromptAt__Output>
      RegisteredCharacter: MessageTypeDefinition<_cartoon_v1_RegisteredCharacter, _cartoon_v1_RegisteredCharacter__Output>
      RenderSpec: MessageTypeDefinition<_cartoon_v1_RenderSpec, _cartoon_v1_RenderSpec__Output>
      SpeechLine: MessageTypeDefinition<_cartoon_v1_SpeechLine, _cartoon_v1_SpeechLine__Output>
      SpeechSpec: MessageTypeDefinition<_cartoon_v1_SpeechSpec, _cartoon_v1_SpeechSpec__Output>
      StartImage: MessageTypeDefinition<_cartoon_v1_StartImage, _cartoon_v1_StartImage__Output>
      Transition: MessageTypeDefinition<_cartoon_v1_Transition, _cartoon_v1_Transition__Output>
      VoicePrompt: MessageTypeDefinition<_cartoon_v1_VoicePrompt, _cartoon_v1_VoicePrompt__Output>
      Warning: MessageTypeDefinition<_cartoon_v1_Warning, _cartoon_v1_Warning__Output>
    }
  }
}

