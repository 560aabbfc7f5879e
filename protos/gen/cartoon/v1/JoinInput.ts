// Original file: cartoon/v1/node.proto

import type { Long } from '@grpc/proto-loader';

export interface JoinInput {
  /**
   * Index from 0 into the shots of the JoinSpec.
   */
  'shot'?: (number);
  /**
   * clip.mp4, speech.wav, captions.vtt or manifest.json
   */
  'name'?: (string);
  'get_url'?: (string);
  'bytes'?: (number | string | Long);
  'sha256'?: (string);
  /**
   * Length of what plays.
   */
  'seconds'?: (number | string);
}

export interface JoinInput__Output {
  /**
   * Index from 0 into the shots of the JoinSpec.
   */
  'shot': (number);
  /**
   * clip.mp4, speech.wav, captions.vtt or manifest.json
   */
  'name': (string);
  'get_url': (string);
  'bytes': (number);
  'sha256': (string);
  /**
   * Length of what plays.
   */
  'seconds': (number);
}
