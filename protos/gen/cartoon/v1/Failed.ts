// Original file: cartoon/v1/node.proto

import type { Receipt as _cartoon_v1_Receipt, Receipt__Output as _cartoon_v1_Receipt__Output } from '../../cartoon/v1/Receipt.ts';

export interface Failed {
  /**
   * Stable, e.g. invalid_spec, out_of_memory, runner_lost, upload_failed, internal.
   */
  'code'?: (string);
  'message'?: (string);
  /**
   * True when another attempt may succeed.
   */
  'retryable'?: (boolean);
  'receipt'?: (_cartoon_v1_Receipt | null);
}

export interface Failed__Output {
  /**
   * Stable, e.g. invalid_spec, out_of_memory, runner_lost, upload_failed, internal.
   */
  'code': (string);
  'message': (string);
  /**
   * True when another attempt may succeed.
   */
  'retryable': (boolean);
  'receipt': (_cartoon_v1_Receipt__Output | null);
}
