import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { CancelRequest as _cartoon_v1_CancelRequest, CancelRequest__Output as _cartoon_v1_CancelRequest__Output } from './cartoon/v1/CancelRequest.ts';
import type { CancelResponse as _cartoon_v1_CancelResponse, CancelResponse__Output as _cartoon_v1_CancelResponse__Output } from './cartoon/v1/CancelResponse.ts';
import type { CharacterWeight as _cartoon_v1_CharacterWeight, CharacterWeight__Output as _cartoon_v1_CharacterWeight__Output } from './cartoon/v1/CharacterWeight.ts';
import type { ClipSpec as _cartoon_v1_ClipSpec, ClipSpec__Output as _cartoon_v1_ClipSpec__Output } from './cartoon/v1/ClipSpec.ts';
import type { ContextSpec as _cartoon_v1_ContextSpec, ContextSpec__Output as _cartoon_v1_ContextSpec__Output } from './cartoon/v1/ContextSpec.ts';
import type { GetRequest as _cartoon_v1_GetRequest, GetRequest__Output as _cartoon_v1_GetRequest__Output } from './cartoon/v1/GetRequest.ts';
import type { GetResponse as _cartoon_v1_GetResponse, GetResponse__Output as _cartoon_v1_GetResponse__Output } from './cartoon/v1/GetResponse.ts';
import type { Job as _cartoon_v1_Job, Job__Output as _cartoon_v1_Job__Output } from './cartoon/v1/Job.ts';
import type { JobError as _cartoon_v1_JobError, JobError__Output as _cartoon_v1_JobError__Output } from './cartoon/v1/JobError.ts';
import type { JobResult as _cartoon_v1_JobResult, JobResult__Output as _cartoon_v1_JobResult__Output } from './cartoon/v1/JobResult.ts';
import type { JobServiceClient as _cartoon_v1_JobServiceClient, JobServiceDefinition as _cartoon_v1_JobServiceDefinition } from './cartoon/v1/JobService.ts';
import type { JobServiceWatchRequest as _cartoon_v1_JobServiceWatchRequest, JobServiceWatchRequest__Output as _cartoon_v1_JobServiceWatchRequest__Output } from './cartoon/v1/JobServiceWatchRequest.ts';
import type { JobServiceWatchResponse as _cartoon_v1_JobServiceWatchResponse, JobServiceWatchResponse__Output as _cartoon_v1_JobServiceWatchResponse__Output } from './cartoon/v1/JobServiceWatchResponse.ts';
import type { JoinShot as _cartoon_v1_JoinShot, JoinShot__Output as _cartoon_v1_JoinShot__Output } from './cartoon/v1/JoinShot.ts';
import type { JoinSpec as _cartoon_v1_JoinSpec, JoinSpec__Output as _cartoon_v1_JoinSpec__Output } from './cartoon/v1/JoinSpec.ts';
import type { ListRequest as _cartoon_v1_ListRequest, ListRequest__Output as _cartoon_v1_ListRequest__Output } from './cartoon/v1/ListRequest.ts';
import type { ListResponse as _cartoon_v1_ListResponse, ListResponse__Output as _cartoon_v1_ListResponse__Output } from './cartoon/v1/ListResponse.ts';
import type { LoraSource as _cartoon_v1_LoraSource, LoraSource__Output as _cartoon_v1_LoraSource__Output } from './cartoon/v1/LoraSource.ts';
import type { OutputSpec as _cartoon_v1_OutputSpec, OutputSpec__Output as _cartoon_v1_OutputSpec__Output } from './cartoon/v1/OutputSpec.ts';
import type { PromptAt as _cartoon_v1_PromptAt, PromptAt__Output as _cartoon_v1_PromptAt__Output } from './cartoon/v1/PromptAt.ts';
import type { RegisteredCharacter as _cartoon_v1_RegisteredCharacter, RegisteredCharacter__Output as _cartoon_v1_RegisteredCharacter__Output } from './cartoon/v1/RegisteredCharacter.ts';
import type { RenderSpec as _cartoon_v1_RenderSpec, RenderSpec__Output as _cartoon_v1_RenderSpec__Output } from './cartoon/v1/RenderSpec.ts';
import type { SpeechLine as _cartoon_v1_SpeechLine, SpeechLine__Output as _cartoon_v1_SpeechLine__Output } from './cartoon/v1/SpeechLine.ts';
import type { SpeechSpec as _cartoon_v1_SpeechSpec, SpeechSpec__Output as _cartoon_v1_SpeechSpec__Output } from './cartoon/v1/SpeechSpec.ts';
import type { StartImage as _cartoon_v1_StartImage, StartImage__Output as _cartoon_v1_StartImage__Output } from './cartoon/v1/StartImage.ts';
import type { SubmitRequest as _cartoon_v1_SubmitRequest, SubmitRequest__Output as _cartoon_v1_SubmitRequest__Output } from './cartoon/v1/SubmitRequest.ts';
import type { SubmitResponse as _cartoon_v1_SubmitResponse, SubmitResponse__Output as _cartoon_v1_SubmitResponse__Output } from './cartoon/v1/SubmitResponse.ts';
import type { Transition as _cartoon_v1_Transition, Transition__Output as _cartoon_v1_Transition__Output } from './cartoon/v1/Transition.ts';
import type { VoicePrompt as _cartoon_v1_VoicePrompt, VoicePrompt__Output as _cartoon_v1_VoicePrompt__Output } from './cartoon/v1/VoicePrompt.ts';
import type { Warning as _cartoon_v1_Warning, Warning__Output as _cartoon_v1_Warning__Output } from './cartoon/v1/Warning.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  cartoon: {
    v1: {
      CancelRequest: MessageTypeDefinition<_cartoon_v1_CancelRequest, _cartoon_v1_CancelRequest__Output>
      CancelResponse: MessageTypeDefinition<_cartoon_v1_CancelResponse, _cartoon_v1_CancelResponse__Output>
      CharacterWeight: MessageTypeDefinition<_cartoon_v1_CharacterWeight, _cartoon_v1_CharacterWeight__Output>
      ClipSpec: MessageTypeDefinition<_cartoon_v1_ClipSpec, _cartoon_v1_ClipSpec__Output>
      ContextSpec: MessageTypeDefinition<_cartoon_v1_ContextSpec, _cartoon_v1_ContextSpec__Output>
      GetRequest: MessageTypeDefinition<_cartoon_v1_GetRequest, _cartoon_v1_GetRequest__Output>
      GetResponse: MessageTypeDefinition<_cartoon_v1_GetResponse, _cartoon_v1_GetResponse__Output>
      Job: MessageTypeDefinition<_cartoon_v1_Job, _cartoon_v1_Job__Output>
      JobError: MessageTypeDefinition<_cartoon_v1_JobError, _cartoon_v1_JobError__Output>
      JobResult: MessageTypeDefinition<_cartoon_v1_JobResult, _cartoon_v1_JobResult__Output>
      /**
       * Jobs for internal services: the same ids, rules and limits as over HTTP. Key in metadata `authorization`.
       */
      JobService: SubtypeConstructor<typeof grpc.Client, _cartoon_v1_JobServiceClient> & { service: _cartoon_v1_JobServiceDefinition }
      JobServiceWatchRequest: MessageTypeDefinition<_cartoon_v1_JobServiceWatchRequest, _cartoon_v1_JobServiceWatchRequest__Output>
      JobServiceWatchResponse: MessageTypeDefinition<_cartoon_v1_JobServiceWatchResponse, _cartoon_v1_JobServiceWatchResponse__Output>
      JoinShot: MessageTypeDefinition<_cartoon_v1_JoinShot, _cartoon_v1_JoinShot__Output>
      JoinSpec: MessageTypeDefinition<_cartoon_v1_JoinSpec, _cartoon_v1_JoinSpec__Output>
      ListRequest: MessageTypeDefinition<_cartoon_v1_ListRequest, _cartoon_v1_ListRequest__Output>
      ListResponse: MessageTypeDefinition<_cartoon_v1_ListResponse, _cartoon_v1_ListResponse__Output>
      LoraSource: MessageTypeDefinition<_cartoon_v1_LoraSource, _cartoon_v1_LoraSource__Output>
      OutputSpec: MessageTypeDefinition<_cartoon_v1_OutputSpec, _cartoon_v1_OutputSpec__Output>
      PromptAt: MessageTypeDefinition<_cartoon_v1_PromptAt, _cartoon_v1_PromptAt__Output>
      RegisteredCharacter: MessageTypeDefinition<_cartoon_v1_RegisteredCharacter, _cartoon_v1_RegisteredCharacter__Output>
      RenderSpec: MessageTypeDefinition<_cartoon_v1_RenderSpec, _cartoon_v1_RenderSpec__Output>
      SpeechLine: MessageTypeDefinition<_cartoon_v1_SpeechLine, _cartoon_v1_SpeechLine__Output>
      SpeechSpec: MessageTypeDefinition<_cartoon_v1_SpeechSpec, _cartoon_v1_SpeechSpec__Output>
      StartImage: MessageTypeDefinition<_cartoon_v1_StartImage, _cartoon_v1_StartImage__Output>
      SubmitRequest: MessageTypeDefinition<_cartoon_v1_SubmitRequest, _cartoon_v1_SubmitRequest__Output>
      SubmitResponse: MessageTypeDefinition<_cartoon_v1_SubmitResponse, _cartoon_v1_SubmitResponse__Output>
      Transition: MessageTypeDefinition<_cartoon_v1_Transition, _cartoon_v1_Transition__Output>
      VoicePrompt: MessageTypeDefinition<_cartoon_v1_VoicePrompt, _cartoon_v1_VoicePrompt__Output>
      Warning: MessageTypeDefinition<_cartoon_v1_Warning, _cartoon_v1_Warning__Output>
    }
  }
}

