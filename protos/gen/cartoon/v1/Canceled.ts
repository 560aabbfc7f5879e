// Original file: cartoon/v1/node.proto

import type { Receipt as _cartoon_v1_Receipt, Receipt__Output as _cartoon_v1_Receipt__Output } from '../../cartoon/v1/Receipt.ts';

export interface Canceled {
  'receipt'?: (_cartoon_v1_Receipt | null);
}

export interface Canceled__Output {
  'receipt': (_cartoon_v1_Receipt__Output | null);
}
