// Original file: cartoon/v1/node.proto

import type { RenderSpec as _cartoon_v1_RenderSpec, RenderSpec__Output as _cartoon_v1_RenderSpec__Output } from '../../cartoon/v1/RenderSpec.ts';
import type { UploadTarget as _cartoon_v1_UploadTarget, UploadTarget__Output as _cartoon_v1_UploadTarget__Output } from '../../cartoon/v1/UploadTarget.ts';
import type { CheckpointTarget as _cartoon_v1_CheckpointTarget, CheckpointTarget__Output as _cartoon_v1_CheckpointTarget__Output } from '../../cartoon/v1/CheckpointTarget.ts';
import type { AssetSource as _cartoon_v1_AssetSource, AssetSource__Output as _cartoon_v1_AssetSource__Output } from '../../cartoon/v1/AssetSource.ts';
import type { JoinInput as _cartoon_v1_JoinInput, JoinInput__Output as _cartoon_v1_JoinInput__Output } from '../../cartoon/v1/JoinInput.ts';
import type { Long } from '@grpc/proto-loader';

export interface RunRequest {
  'job_id'?: (string);
  /**
   * 1 for the first attempt.
   */
  'attempt'?: (number);
  /**
   * Grows with every lease; a node drops an attempt when it sees a higher fence for the same job.
   */
  'fence'?: (number | string | Long);
  'spec'?: (_cartoon_v1_RenderSpec | null);
  /**
   * Where each artefact may be PUT. Artefacts without a target are not made.
   */
  'uploads'?: (_cartoon_v1_UploadTarget)[];
  'checkpoint'?: (_cartoon_v1_CheckpointTarget | null);
  /**
   * Milliseconds since 1970; 0 means none.
   */
  'deadline_ms'?: (number | string | Long);
  'traceparent'?: (string);
  /**
   * Where a clip and a poster may be PUT if the attempt is stopped with `partial`.
   */
  'partial_uploads'?: (_cartoon_v1_UploadTarget)[];
  /**
   * Where the files that the spec names by their SHA-256 can be had.
   */
  'assets'?: (_cartoon_v1_AssetSource)[];
  /**
   * What a join is made from: results of its shots.
   */
  'inputs'?: (_cartoon_v1_JoinInput)[];
}

export interface RunRequest__Output {
  'job_id': (string);
  /**
   * 1 for the first attempt.
   */
  'attempt': (number);
  /**
   * Grows with every lease; a node drops an attempt when it sees a higher fence for the same job.
   */
  'fence': (number);
  'spec': (_cartoon_v1_RenderSpec__Output | null);
  /**
   * Where each artefact may be PUT. Artefacts without a target are not made.
   */
  'uploads': (_cartoon_v1_UploadTarget__Output)[];
  'checkpoint': (_cartoon_v1_CheckpointTarget__Output | null);
  /**
   * Milliseconds since 1970; 0 means none.
   */
  'deadline_ms': (number);
  'traceparent': (string);
  /**
   * Where a clip and a poster may be PUT if the attempt is stopped with `partial`.
   */
  'partial_uploads': (_cartoon_v1_UploadTarget__Output)[];
  /**
   * Where the files that the spec names by their SHA-256 can be had.
   */
  'assets': (_cartoon_v1_AssetSource__Output)[];
  /**
   * What a join is made from: results of its shots.
   */
  'inputs': (_cartoon_v1_JoinInput__Output)[];
}
