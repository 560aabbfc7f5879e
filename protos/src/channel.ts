import type { ChannelOptions } from "@grpc/grpc-js";

const MIB = 1024 * 1024;

/**
 * Options for both ends of a connection between edge and node. Without keepalive a frozen peer is never noticed;
 * with the default back-off a restarted one is found again only after seconds.
 */
export const channelOptions: ChannelOptions = {
  "grpc.keepalive_time_ms": 2_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.max_receive_message_length": 32 * MIB,
  "grpc.max_send_message_length": 32 * MIB,
};
