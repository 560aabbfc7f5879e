import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Accepted as _cartoon_v1_Accepted, Accepted__Output as _cartoon_v1_Accepted__Output } from './cartoon/v1/Accepted.ts';
import type { Artefact as _cartoon_v1_Artefact, Artefact__Output as _cartoon_v1_Artefact__Output } from './cartoon/v1/Artefact.ts';
import type { AssetSource as _cartoon_v1_AssetSource, AssetSource__Output as _cartoon_v1_AssetSource__Output } from './cartoon/v1/AssetSource.ts';
import type { AttachRequest as _cartoon_v1_AttachRequest, AttachRequest__Output as _cartoon_v1_AttachRequest__Output } from './cartoon/v1/AttachRequest.ts';
import type { AttachResponse as _cartoon_v1_AttachResponse, AttachResponse__Output as _cartoon_v1_AttachResponse__Output } from './cartoon/v1/AttachResponse.ts';
import type { AttachServiceClient as _cartoon_v1_AttachServiceClient, AttachServiceDefinition as _cartoon_v1_AttachServiceDefinition } from './cartoon/v1/AttachService.ts';
import type { CallEnd as _cartoon_v1_CallEnd, CallEnd__Output as _cartoon_v1_CallEnd__Output } from './cartoon/v1/CallEnd.ts';
import type { CancelCall as _cartoon_v1_CancelCall, CancelCall__Output as _cartoon_v1_CancelCall__Output } from './cartoon/v1/CancelCall.ts';
import type { Canceled as _cartoon_v1_Canceled, Canceled__Output as _cartoon_v1_Canceled__Output } from './cartoon/v1/Canceled.ts';
import type { CharacterInfo as _cartoon_v1_CharacterInfo, CharacterInfo__Output as _cartoon_v1_CharacterInfo__Output } from './cartoon/v1/CharacterInfo.ts';
import type { CharacterWeight as _cartoon_v1_CharacterWeight, CharacterWeight__Output as _cartoon_v1_CharacterWeight__Output } from './cartoon/v1/CharacterWeight.ts';
import type { CheckpointTarget as _cartoon_v1_CheckpointTarget, CheckpointTarget__Output as _cartoon_v1_CheckpointTarget__Output } from './cartoon/v1/CheckpointTarget.ts';
import type { Checkpointed as _cartoon_v1_Checkpointed, Checkpointed__Output as _cartoon_v1_Checkpointed__Output } from './cartoon/v1/Checkpointed.ts';
import type { ClipSpec as _cartoon_v1_ClipSpec, ClipSpec__Output as _cartoon_v1_ClipSpec__Output } from './cartoon/v1/ClipSpec.ts';
import type { ContextSpec as _cartoon_v1_ContextSpec, ContextSpec__Output as _cartoon_v1_ContextSpec__Output } from './cartoon/v1/ContextSpec.ts';
import type { DescribeRequest as _cartoon_v1_DescribeRequest, DescribeRequest__Output as _cartoon_v1_DescribeRequest__Output } from './cartoon/v1/DescribeRequest.ts';
import type { DescribeResponse as _cartoon_v1_DescribeResponse, DescribeResponse__Output as _cartoon_v1_DescribeResponse__Output } from './cartoon/v1/DescribeResponse.ts';
import type { DeviceInfo as _cartoon_v1_DeviceInfo, DeviceInfo__Output as _cartoon_v1_DeviceInfo__Output } from './cartoon/v1/DeviceInfo.ts';
import type { Failed as _cartoon_v1_Failed, Failed__Output as _cartoon_v1_Failed__Output } from './cartoon/v1/Failed.ts';
import type { GpuUsage as _cartoon_v1_GpuUsage, GpuUsage__Output as _cartoon_v1_GpuUsage__Output } from './cartoon/v1/GpuUsage.ts';
import type { JoinInput as _cartoon_v1_JoinInput, JoinInput__Output as _cartoon_v1_JoinInput__Output } from './cartoon/v1/JoinInput.ts';
import type { JoinShot as _cartoon_v1_JoinShot, JoinShot__Output as _cartoon_v1_JoinShot__Output } from './cartoon/v1/JoinShot.ts';
import type { JoinSpec as _cartoon_v1_JoinSpec, JoinSpec__Output as _cartoon_v1_JoinSpec__Output } from './cartoon/v1/JoinSpec.ts';
import type { Log as _cartoon_v1_Log, Log__Output as _cartoon_v1_Log__Output } from './cartoon/v1/Log.ts';
import type { LoraSource as _cartoon_v1_LoraSource, LoraSource__Output as _cartoon_v1_LoraSource__Output } from './cartoon/v1/LoraSource.ts';
import type { NodeServiceClient as _cartoon_v1_NodeServiceClient, NodeServiceDefinition as _cartoon_v1_NodeServiceDefinition } from './cartoon/v1/NodeService.ts';
import type { NodeStatus as _cartoon_v1_NodeStatus, NodeStatus__Output as _cartoon_v1_NodeStatus__Output } from './cartoon/v1/NodeStatus.ts';
import type { NodeUsage as _cartoon_v1_NodeUsage, NodeUsage__Output as _cartoon_v1_NodeUsage__Output } from './cartoon/v1/NodeUsage.ts';
import type { OutputSpec as _cartoon_v1_OutputSpec, OutputSpec__Output as _cartoon_v1_OutputSpec__Output } from './cartoon/v1/OutputSpec.ts';
import type { PackInfo as _cartoon_v1_PackInfo, PackInfo__Output as _cartoon_v1_PackInfo__Output } from './cartoon/v1/PackInfo.ts';
import type { Preview as _cartoon_v1_Preview, Preview__Output as _cartoon_v1_Preview__Output } from './cartoon/v1/Preview.ts';
import type { Progress as _cartoon_v1_Progress, Progress__Output as _cartoon_v1_Progress__Output } from './cartoon/v1/Progress.ts';
import type { PromptAt as _cartoon_v1_PromptAt, PromptAt__Output as _cartoon_v1_PromptAt__Output } from './cartoon/v1/PromptAt.ts';
import type { Receipt as _cartoon_v1_Receipt, Receipt__Output as _cartoon_v1_Receipt__Output } from './cartoon/v1/Receipt.ts';
import type { RegisteredCharacter as _cartoon_v1_RegisteredCharacter, RegisteredCharacter__Output as _cartoon_v1_RegisteredCharacter__Output } from './cartoon/v1/RegisteredCharacter.ts';
import type { RenderSpec as _cartoon_v1_RenderSpec, RenderSpec__Output as _cartoon_v1_RenderSpec__Output } from './cartoon/v1/RenderSpec.ts';
import type { RunRequest as _cartoon_v1_RunRequest, RunRequest__Output as _cartoon_v1_RunRequest__Output } from './cartoon/v1/RunRequest.ts';
import type { RunResponse as _cartoon_v1_RunResponse, RunResponse__Output as _cartoon_v1_RunResponse__Output } from './cartoon/v1/RunResponse.ts';
import type { SpeechLine as _cartoon_v1_SpeechLine, SpeechLine__Output as _cartoon_v1_SpeechLine__Output } from './cartoon/v1/SpeechLine.ts';
import type { SpeechSpec as _cartoon_v1_SpeechSpec, SpeechSpec__Output as _cartoon_v1_SpeechSpec__Output } from './cartoon/v1/SpeechSpec.ts';
import type { StageSeconds as _cartoon_v1_StageSeconds, StageSeconds__Output as _cartoon_v1_StageSeconds__Output } from './cartoon/v1/StageSeconds.ts';
import type { StartImage as _cartoon_v1_StartImage, StartImage__Output as _cartoon_v1_StartImage__Output } from './cartoon/v1/StartImage.ts';
import type { StopRequest as _cartoon_v1_StopRequest, StopRequest__Output as _cartoon_v1_StopRequest__Output } from './cartoon/v1/StopRequest.ts';
import type { StopResponse as _cartoon_v1_StopResponse, StopResponse__Output as _cartoon_v1_StopResponse__Output } from './cartoon/v1/StopResponse.ts';
import type { Succeeded as _cartoon_v1_Succeeded, Succeeded__Output as _cartoon_v1_Succeeded__Output } from './cartoon/v1/Succeeded.ts';
import type { Transition as _cartoon_v1_Transition, Transition__Output as _cartoon_v1_Transition__Output } from './cartoon/v1/Transition.ts';
import type { UploadTarget as _cartoon_v1_UploadTarget, UploadTarget__Output as _cartoon_v1_UploadTarget__Output } from './cartoon/v1/UploadTarget.ts';
import type { VoicePrompt as _cartoon_v1_VoicePrompt, VoicePrompt__Output as _cartoon_v1_VoicePrompt__Output } from './cartoon/v1/VoicePrompt.ts';
import type { Warning as _cartoon_v1_Warning, Warning__Output as _cartoon_v1_Warning__Output } from './cartoon/v1/Warning.ts';
import type { WatchRequest as _cartoon_v1_WatchRequest, WatchRequest__Output as _cartoon_v1_WatchRequest__Output } from './cartoon/v1/WatchRequest.ts';
import type { WatchResponse as _cartoon_v1_WatchResponse, WatchResponse__Output as _cartoon_v1_WatchResponse__Output } from './cartoon/v1/WatchResponse.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  cartoon: {
    v1: {
      Accepted: MessageTypeDefinition<_cartoon_v1_Accepted, _cartoon_v1_Accepted__Output>
      Artefact: MessageTypeDefinition<_cartoon_v1_Artefact, _cartoon_v1_Artefact__Output>
      AssetSource: MessageTypeDefinition<_cartoon_v1_AssetSource, _cartoon_v1_AssetSource__Output>
      AttachRequest: MessageTypeDefinition<_cartoon_v1_AttachRequest, _cartoon_v1_AttachRequest__Output>
      AttachResponse: MessageTypeDefinition<_cartoon_v1_AttachResponse, _cartoon_v1_AttachResponse__Output>
      /**
       * For nodes that can't be reached: the node dials the edge, and the edge calls it over the stream that it opens.
       * The node's token (`cartoon keys node`) travels in metadata `authorization`.
       */
      AttachService: SubtypeConstructor<typeof grpc.Client, _cartoon_v1_AttachServiceClient> & { service: _cartoon_v1_AttachServiceDefinition }
      CallEnd: MessageTypeDefinition<_cartoon_v1_CallEnd, _cartoon_v1_CallEnd__Output>
      CancelCall: MessageTypeDefinition<_cartoon_v1_CancelCall, _cartoon_v1_CancelCall__Output>
      Canceled: MessageTypeDefinition<_cartoon_v1_Canceled, _cartoon_v1_Canceled__Output>
      CharacterInfo: MessageTypeDefinition<_cartoon_v1_CharacterInfo, _cartoon_v1_CharacterInfo__Output>
      CharacterWeight: MessageTypeDefinition<_cartoon_v1_CharacterWeight, _cartoon_v1_CharacterWeight__Output>
      CheckpointTarget: MessageTypeDefinition<_cartoon_v1_CheckpointTarget, _cartoon_v1_CheckpointTarget__Output>
      Checkpointed: MessageTypeDefinition<_cartoon_v1_Checkpointed, _cartoon_v1_Checkpointed__Output>
      ClipSpec: MessageTypeDefinition<_cartoon_v1_ClipSpec, _cartoon_v1_ClipSpec__Output>
      ContextSpec: MessageTypeDefinition<_cartoon_v1_ContextSpec, _cartoon_v1_ContextSpec__Output>
      DescribeRequest: MessageTypeDefinition<_cartoon_v1_DescribeRequest, _cartoon_v1_DescribeRequest__Output>
      DescribeResponse: MessageTypeDefinition<_cartoon_v1_DescribeResponse, _cartoon_v1_DescribeResponse__Output>
      DeviceInfo: MessageTypeDefinition<_cartoon_v1_DeviceInfo, _cartoon_v1_DeviceInfo__Output>
      Failed: MessageTypeDefinition<_cartoon_v1_Failed, _cartoon_v1_Failed__Output>
      GpuUsage: MessageTypeDefinition<_cartoon_v1_GpuUsage, _cartoon_v1_GpuUsage__Output>
      JoinInput: MessageTypeDefinition<_cartoon_v1_JoinInput, _cartoon_v1_JoinInput__Output>
      JoinShot: MessageTypeDefinition<_cartoon_v1_JoinShot, _cartoon_v1_JoinShot__Output>
      JoinSpec: MessageTypeDefinition<_cartoon_v1_JoinSpec, _cartoon_v1_JoinSpec__Output>
      Log: MessageTypeDefinition<_cartoon_v1_Log, _cartoon_v1_Log__Output>
      LoraSource: MessageTypeDefinition<_cartoon_v1_LoraSource, _cartoon_v1_LoraSource__Output>
      NodeHealth: EnumTypeDefinition
      /**
       * A GPU node. The edge calls it; it holds no database and no store credentials.
       */
      NodeService: SubtypeConstructor<typeof grpc.Client, _cartoon_v1_NodeServiceClient> & { service: _cartoon_v1_NodeServiceDefinition }
      NodeStatus: MessageTypeDefinition<_cartoon_v1_NodeStatus, _cartoon_v1_NodeStatus__Output>
      NodeUsage: MessageTypeDefinition<_cartoon_v1_NodeUsage, _cartoon_v1_NodeUsage__Output>
      OutputSpec: MessageTypeDefinition<_cartoon_v1_OutputSpec, _cartoon_v1_OutputSpec__Output>
      PackInfo: MessageTypeDefinition<_cartoon_v1_PackInfo, _cartoon_v1_PackInfo__Output>
      Preview: MessageTypeDefinition<_cartoon_v1_Preview, _cartoon_v1_Preview__Output>
      Progress: MessageTypeDefinition<_cartoon_v1_Progress, _cartoon_v1_Progress__Output>
      PromptAt: MessageTypeDefinition<_cartoon_v1_PromptAt, _cartoon_v1_PromptAt__Output>
      Receipt: MessageTypeDefinition<_cartoon_v1_Receipt, _cartoon_v1_Receipt__Output>
      RegisteredCharacter: MessageTypeDefinition<_cartoon_v1_RegisteredCharacter, _cartoon_v1_RegisteredCharacter__Output>
      RenderSpec: MessageTypeDefinition<_cartoon_v1_RenderSpec, _cartoon_v1_RenderSpec__Output>
      RunRequest: MessageTypeDefinition<_cartoon_v1_RunRequest, _cartoon_v1_RunRequest__Output>
      RunResponse: MessageTypeDefinition<_cartoon_v1_RunResponse, _cartoon_v1_RunResponse__Output>
      SpeechLine: MessageTypeDefinition<_cartoon_v1_SpeechLine, _cartoon_v1_SpeechLine__Output>
      SpeechSpec: MessageTypeDefinition<_cartoon_v1_SpeechSpec, _cartoon_v1_SpeechSpec__Output>
      StageSeconds: MessageTypeDefinition<_cartoon_v1_StageSeconds, _cartoon_v1_StageSeconds__Output>
      StartImage: MessageTypeDefinition<_cartoon_v1_StartImage, _cartoon_v1_StartImage__Output>
      StopRequest: MessageTypeDefinition<_cartoon_v1_StopRequest, _cartoon_v1_StopRequest__Output>
      StopResponse: MessageTypeDefinition<_cartoon_v1_StopResponse, _cartoon_v1_StopResponse__Output>
      Succeeded: MessageTypeDefinition<_cartoon_v1_Succeeded, _cartoon_v1_Succeeded__Output>
      Transition: MessageTypeDefinition<_cartoon_v1_Transition, _cartoon_v1_Transition__Output>
      UploadTarget: MessageTypeDefinition<_cartoon_v1_UploadTarget, _cartoon_v1_UploadTarget__Output>
      VoicePrompt: MessageTypeDefinition<_cartoon_v1_VoicePrompt, _cartoon_v1_VoicePrompt__Output>
      Warning: MessageTypeDefinition<_cartoon_v1_Warning, _cartoon_v1_Warning__Output>
      WatchRequest: MessageTypeDefinition<_cartoon_v1_WatchRequest, _cartoon_v1_WatchRequest__Output>
      WatchResponse: MessageTypeDefinition<_cartoon_v1_WatchResponse, _cartoon_v1_WatchResponse__Output>
    }
  }
}

