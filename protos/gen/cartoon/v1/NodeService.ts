// Original file: cartoon/v1/node.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DescribeRequest as _cartoon_v1_DescribeRequest, DescribeRequest__Output as _cartoon_v1_DescribeRequest__Output } from '../../cartoon/v1/DescribeRequest.ts';
import type { DescribeResponse as _cartoon_v1_DescribeResponse, DescribeResponse__Output as _cartoon_v1_DescribeResponse__Output } from '../../cartoon/v1/DescribeResponse.ts';
import type { RunRequest as _cartoon_v1_RunRequest, RunRequest__Output as _cartoon_v1_RunRequest__Output } from '../../cartoon/v1/RunRequest.ts';
import type { RunResponse as _cartoon_v1_RunResponse, RunResponse__Output as _cartoon_v1_RunResponse__Output } from '../../cartoon/v1/RunResponse.ts';
import type { StopRequest as _cartoon_v1_StopRequest, StopRequest__Output as _cartoon_v1_StopRequest__Output } from '../../cartoon/v1/StopRequest.ts';
import type { StopResponse as _cartoon_v1_StopResponse, StopResponse__Output as _cartoon_v1_StopResponse__Output } from '../../cartoon/v1/StopResponse.ts';
import type { WatchRequest as _cartoon_v1_WatchRequest, WatchRequest__Output as _cartoon_v1_WatchRequest__Output } from '../../cartoon/v1/WatchRequest.ts';
import type { WatchResponse as _cartoon_v1_WatchResponse, WatchResponse__Output as _cartoon_v1_WatchResponse__Output } from '../../cartoon/v1/WatchResponse.ts';

/**
 * A GPU node. The edge calls it; it holds no database and no store credentials.
 */
export interface NodeServiceClient extends grpc.Client {
  Describe(argument: _cartoon_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  Describe(argument: _cartoon_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  Describe(argument: _cartoon_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  Describe(argument: _cartoon_v1_DescribeRequest, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _cartoon_v1_DescribeRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _cartoon_v1_DescribeRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _cartoon_v1_DescribeRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  describe(argument: _cartoon_v1_DescribeRequest, callback: grpc.requestCallback<_cartoon_v1_DescribeResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * Runs one attempt of one job. Errors of the job travel in-band (Failed); the stream then ends with OK.
   * RESOURCE_EXHAUSTED when no permit is free. Cancelling the call cancels the attempt at the next step.
   */
  Run(argument: _cartoon_v1_RunRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_RunResponse__Output>;
  Run(argument: _cartoon_v1_RunRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_RunResponse__Output>;
  /**
   * Runs one attempt of one job. Errors of the job travel in-band (Failed); the stream then ends with OK.
   * RESOURCE_EXHAUSTED when no permit is free. Cancelling the call cancels the attempt at the next step.
   */
  run(argument: _cartoon_v1_RunRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_RunResponse__Output>;
  run(argument: _cartoon_v1_RunRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_RunResponse__Output>;
  
  /**
   * Stops an attempt and still delivers its receipt on the Run stream.
   */
  Stop(argument: _cartoon_v1_StopRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  Stop(argument: _cartoon_v1_StopRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  Stop(argument: _cartoon_v1_StopRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  Stop(argument: _cartoon_v1_StopRequest, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  /**
   * Stops an attempt and still delivers its receipt on the Run stream.
   */
  stop(argument: _cartoon_v1_StopRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  stop(argument: _cartoon_v1_StopRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  stop(argument: _cartoon_v1_StopRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  stop(argument: _cartoon_v1_StopRequest, callback: grpc.requestCallback<_cartoon_v1_StopResponse__Output>): grpc.ClientUnaryCall;
  
  /**
   * The present status at once, then every change.
   */
  Watch(argument: _cartoon_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_WatchResponse__Output>;
  Watch(argument: _cartoon_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_WatchResponse__Output>;
  /**
   * The present status at once, then every change.
   */
  watch(argument: _cartoon_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_WatchResponse__Output>;
  watch(argument: _cartoon_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_cartoon_v1_WatchResponse__Output>;
  
}

/**
 * A GPU node. The edge calls it; it holds no database and no store credentials.
 */
export interface NodeServiceHandlers extends grpc.UntypedServiceImplementation {
  Describe: grpc.handleUnaryCall<_cartoon_v1_DescribeRequest__Output, _cartoon_v1_DescribeResponse>;
  
  /**
   * Runs one attempt of one job. Errors of the job travel in-band (Failed); the stream then ends with OK.
   * RESOURCE_EXHAUSTED when no permit is free. Cancelling the call cancels the attempt at the next step.
   */
  Run: grpc.handleServerStreamingCall<_cartoon_v1_RunRequest__Output, _cartoon_v1_RunResponse>;
  
  /**
   * Stops an attempt and still delivers its receipt on the Run stream.
   */
  Stop: grpc.handleUnaryCall<_cartoon_v1_StopRequest__Output, _cartoon_v1_StopResponse>;
  
  /**
   * The present status at once, then every change.
   */
  Watch: grpc.handleServerStreamingCall<_cartoon_v1_WatchRequest__Output, _cartoon_v1_WatchResponse>;
  
}

export interface NodeServiceDefinition extends grpc.ServiceDefinition {
  Describe: MethodDefinition<_cartoon_v1_DescribeRequest, _cartoon_v1_DescribeResponse, _cartoon_v1_DescribeRequest__Output, _cartoon_v1_DescribeResponse__Output>
  Run: MethodDefinition<_cartoon_v1_RunRequest, _cartoon_v1_RunResponse, _cartoon_v1_RunRequest__Output, _cartoon_v1_RunResponse__Output>
  Stop: MethodDefinition<_cartoon_v1_StopRequest, _cartoon_v1_StopResponse, _cartoon_v1_StopRequest__Output, _cartoon_v1_StopResponse__Output>
  Watch: MethodDefinition<_cartoon_v1_WatchRequest, _cartoon_v1_WatchResponse, _cartoon_v1_WatchRequest__Output, _cartoon_v1_WatchResponse__Output>
}
