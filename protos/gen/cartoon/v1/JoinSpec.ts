// Original file: cartoon/v1/render.proto

import type { JoinShot as _cartoon_v1_JoinShot, JoinShot__Output as _cartoon_v1_JoinShot__Output } from '../../cartoon/v1/JoinShot.ts';
import type { Transition as _cartoon_v1_Transition, Transition__Output as _cartoon_v1_Transition__Output } from '../../cartoon/v1/Transition.ts';

/**
 * The shots of a storyboard, one after the other, as one clip.
 */
export interface JoinSpec {
  'shots'?: (_cartoon_v1_JoinShot)[];
  /**
   * One for each cut: one fewer than shots.
   */
  'transitions'?: (_cartoon_v1_Transition)[];
  /**
   * Pixels of the result; shots of another shape are fitted in, with bars.
   */
  'width'?: (number);
  'height'?: (number);
  'fps'?: (number | string);
  'title'?: (string);
  /**
   * Whether any shot speaks.
   */
  'spoken'?: (boolean);
}

/**
 * The shots of a storyboard, one after the other, as one clip.
 */
export interface JoinSpec__Output {
  'shots': (_cartoon_v1_JoinShot__Output)[];
  /**
   * One for each cut: one fewer than shots.
   */
  'transitions': (_cartoon_v1_Transition__Output)[];
  /**
   * Pixels of the result; shots of another shape are fitted in, with bars.
   */
  'width': (number);
  'height': (number);
  'fps': (number);
  'title': (string);
  /**
   * Whether any shot speaks.
   */
  'spoken': (boolean);
}
