// Original file: cartoon/v1/node.proto

import type { Receipt as _cartoon_v1_Receipt, Receipt__Output as _cartoon_v1_Receipt__Output } from '../../cartoon/v1/Receipt.ts';
import type { Artefact as _cartoon_v1_Artefact, Artefact__Output as _cartoon_v1_Artefact__Output } from '../../cartoon/v1/Artefact.ts';

export interface Canceled {
  'receipt'?: (_cartoon_v1_Receipt | null);
  /**
   * What was made of the frames as they stood, where the Stop asked for it and there was something to show.
   */
  'artefacts'?: (_cartoon_v1_Artefact)[];
}

export interface Canceled__Output {
  'receipt': (_cartoon_v1_Receipt__Output | null);
  /**
   * What was made of the frames as they stood, where the Stop asked for it and there was something to show.
   */
  'artefacts': (_cartoon_v1_Artefact__Output)[];
}
