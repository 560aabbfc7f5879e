// Original file: cartoon/v1/attach.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AttachRequest as _cartoon_v1_AttachRequest, AttachRequest__Output as _cartoon_v1_AttachRequest__Output } from '../../cartoon/v1/AttachRequest.ts';
import type { AttachResponse as _cartoon_v1_AttachResponse, AttachResponse__Output as _cartoon_v1_AttachResponse__Output } from '../../cartoon/v1/AttachResponse.ts';

/**
 * For nodes that can't be reached: the node dials the edge, and the edge calls it over the stream that it opens.
 * The node's token (`cartoon keys node`) travels in metadata `authorization`.
 */
export interface AttachServiceClient extends grpc.Client {
  /**
   * The calls of NodeService, many at once, each under a number that the edge gives it. A stream that breaks ends its
   * calls with UNAVAILABLE, as a broken connection does. Who hears nothing for 15 seconds hangs up.
   */
  Attach(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_cartoon_v1_AttachRequest, _cartoon_v1_AttachResponse__Output>;
  Attach(options?: grpc.CallOptions): grpc.ClientDuplexStream<_cartoon_v1_AttachRequest, _cartoon_v1_AttachResponse__Output>;
  /**
   * The calls of NodeService, many at once, each under a number that the edge gives it. A stream that breaks ends its
   * calls with UNAVAILABLE, as a broken connection does. Who hears nothing for 15 seconds hangs up.
   */
  attach(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_cartoon_v1_AttachRequest, _cartoon_v1_AttachResponse__Output>;
  attach(options?: grpc.CallOptions): grpc.ClientDuplexStream<_cartoon_v1_AttachRequest, _cartoon_v1_AttachResponse__Output>;
  
}

/**
 * For nodes that can't be reached: the node dials the edge, and the edge calls it over the stream that it opens.
 * The node's token (`cartoon keys node`) travels in metadata `authorization`.
 */
export interface AttachServiceHandlers extends grpc.UntypedServiceImplementation {
  /**
   * The calls of NodeService, many at once, each under a number that the edge gives it. A stream that breaks ends its
   * calls with UNAVAILABLE, as a broken connection does. Who hears nothing for 15 seconds hangs up.
   */
  Attach: grpc.handleBidiStreamingCall<_cartoon_v1_AttachRequest__Output, _cartoon_v1_AttachResponse>;
  
}

export interface AttachServiceDefinition extends grpc.ServiceDefinition {
  Attach: MethodDefinition<_cartoon_v1_AttachRequest, _cartoon_v1_AttachResponse, _cartoon_v1_AttachRequest__Output, _cartoon_v1_AttachResponse__Output>
}
