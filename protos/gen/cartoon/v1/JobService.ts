// Original file: cartoon/v1/job.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CancelRequest as _cartoon_v1_CancelRequest, CancelRequest__Output as _cartoon_v1_CancelRequest__Output } from '../../cartoon/v1/CancelRequest.ts';
import type { CancelResponse as _cartoon_v1_CancelResponse, CancelResponse__Output as _cartoon_v1_CancelResponse__Output } from '../../cartoon/v1/CancelResponse.ts';
import type { GetRequest as _cartoon_v1_GetRequest, GetRequest__Output as _cartoon_v1_GetRequest__Output } from '../../cartoon/v1/GetRequest.ts';
import type { GetResponse as _cartoon_v1_GetResponse, GetResponse__Output as _cartoon_v1_GetResponse__Output } from '../../cartoon/v1/GetResponse.ts';
import type { JobServiceWatchRequest as _cartoon_v1_JobServiceWatchRequest, JobServiceWatchRequest__Output as _cartoon_v1_JobServiceWatchRequest__Output } from '../../cartoon/v1/JobServiceWatchRequest.ts';
import type { JobServiceWatchResponse as _cartoon_v1_JobServiceWatchResponse, JobServiceWatchResponse__Output as _cartoon_v1_JobServiceWatchResponse__Output } from '../../cartoon/v1/JobServiceWatchResponse.ts';
import type { ListRequest as _cartoon_v1_ListRequest, ListRequest__Output as _cartoon_v1_ListRequest__Output } from '../../cartoon/v1/ListRequest.ts';
import type { ListResponse as _cartoon_v1_ListResponse, ListResponse__Output as _cartoon_v1_ListResponse__Output } from '../../cartoon/v1/ListResponse.ts';
import type { SubmitRequest as _cartoon_v1_SubmitRequest, SubmitRequest__Output as _cartoon_v1_SubmitRequest__Output } from '../../cartoon/v1/SubmitRequest.ts';
import type { SubmitResponse as _cartoon_v1_SubmitResponse, SubmitResponse__Output as _cartoon_v1_SubmitResponse__Output } from '../../cartoon/v1/SubmitResponse.ts';

/**
 * Jobs for internal services: the same ids, rules and limits as over HTTP. Key in metadata `authorization`.
 */
export interface JobServiceClient extends grpc.Client {
  Cancel(argument: _cartoon_v1_CancelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _cartoon_v1_CancelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _cartoon_v1_CancelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _cartoon_v1_CancelRequest, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _cartoon_v1_CancelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _cartoon_v1_CancelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _cartoon_v1_CancelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _cartoon_v1_CancelRequest, callback: grpc.requestCallback<_cartoon_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  
  Get(argument: _cartoon_v1_GetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  Get(argument: _cartoon_v1_GetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  Get(argument: _cartoon_v1_GetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  Get(argument: _cartoon_v1_GetRequest, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _cartoon_v1_GetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _cartoon_v1_GetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _cartoon_v1_GetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  get(argument: _cartoon_v1_GetRequest, callback: grpc.requestCallback<_cartoon_v1_GetResponse__Output>): grpc.ClientUnaryCall;
  
  List(argument: _cartoon_v1_ListRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  List(argument: _cartoon_v1_ListRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  List(argument: _cartoon_v1_ListRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  List(argument: _cartoon_v1_ListRequest, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _cartoon_v1_ListRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _cartoon_v1_ListRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _cartoon_v1_ListRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  list(argument: _cartoon_v1_ListRequest, callback: grpc.requestCallback<_cartoon_v1_ListResponse__Output>): grpc.ClientUnaryCall;
  
  Submit(argument: _cartoon_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _cartoon_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _cartoon_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _cartoon_v1_SubmitRequest, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _cartoon_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _cartoon_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _cartoon_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _cartoon_v1_SubmitRequest, callback: grpc.requestCallback<_cartoon_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Every event after `after_sequence`, past ones first; ends after the terminal one.
   */
  Watch(argument: _cartoon_v1_JobServiceWatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_JobServiceWatchResponse__Output>;
  Watch(argument: _cartoon_v1_JobServiceWatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_JobServiceWatchResponse__Output>;
  /**
   * Every event after `after_sequence`, past ones first; ends after the terminal one.
   */
  watch(argument: _cartoon_v1_JobServiceWatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_JobServiceWatchResponse__Output>;
  watch(argument: _cartoon_v1_JobServiceWatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_JobServiceWatchResponse__Output>;
  
}

/**
 * Jobs for internal services: the same ids, rules and limits as over HTTP. Key in metadata `authorization`.
 */
export interface JobServiceHandlers extends grpc.UntypedServiceImplementation {
  Cancel: grpc.handleUnaryCall<_cartoon_v1_CancelRequest__Output, _cartoon_v1_CancelResponse>;
  
  Get: grpc.handleUnaryCall<_cartoon_v1_GetRequest__Output, _cartoon_v1_GetResponse>;
  
  List: grpc.handleUnaryCall<_cartoon_v1_ListRequest__Output, _cartoon_v1_ListResponse>;
  
  Submit: grpc.handleUnaryCall<_cartoon_v1_SubmitRequest__Output, _cartoon_v1_SubmitResponse>;
  
  /**
   * Every event after `after_sequence`, past ones first; ends after the terminal one.
   */
  Watch: grpc.handleServerStreamingCall<_cartoon_v1_JobServiceWatchRequest__Output, _cartoon_v1_JobServiceWatchResponse>;
  
}

export interface JobServiceDefinition extends grpc.ServiceDefinition {
  Cancel: MethodDefinition<_cartoon_v1_CancelRequest, _cartoon_v1_CancelResponse, _cartoon_v1_CancelRequest__Output, _cartoon_v1_CancelResponse__Output>
  Get: MethodDefinition<_cartoon_v1_GetRequest, _cartoon_v1_GetResponse, _cartoon_v1_GetRequest__Output, _cartoon_v1_GetResponse__Output>
  List: MethodDefinition<_cartoon_v1_ListRequest, _cartoon_v1_ListResponse, _cartoon_v1_ListRequest__Output, _cartoon_v1_ListResponse__Output>
  Submit: MethodDefinition<_cartoon_v1_SubmitRequest, _cartoon_v1_SubmitResponse, _cartoon_v1_SubmitRequest__Output, _cartoon_v1_SubmitResponse__Output>
  Watch: MethodDefinition<_cartoon_v1_JobServiceWatchRequest, _cartoon_v1_JobServiceWatchResponse, _cartoon_v1_JobServiceWatchRequest__Output, _cartoon_v1_JobServiceWatchResponse__Output>
}
