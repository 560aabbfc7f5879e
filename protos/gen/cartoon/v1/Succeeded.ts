// Original file: cartoon/v1/node.proto

import type { Artefact as _cartoon_v1_Artefact, Artefact__Output as _cartoon_v1_Artefact__Output } from '../../cartoon/v1/Artefact.ts';
import type { Receipt as _cartoon_v1_Receipt, Receipt__Output as _cartoon_v1_Receipt__Output } from '../../cartoon/v1/Receipt.ts';

export interface Succeeded {
  'artefacts'?: (_cartoon_v1_Artefact)[];
  'receipt'?: (_cartoon_v1_Receipt | null);
}

export interface Succeeded__Output {
  'artefacts': (_cartoon_v1_Artefact__Output)[];
  'receipt': (_cartoon_v1_Receipt__Output | null);
}
