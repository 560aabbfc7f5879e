const LOWEST = 70;
const HIGHEST = 420;
const FRAME_SECONDS = 0.04;
const HOP_SECONDS = 0.02;
/** A frame whose autocorrelation is lower than this has no pitch. */
const VOICED = 0.6;
/** Enough for the pitch of a voice. */
const RATE = 8000;

/** Median pitch in hertz, by autocorrelation; NaN where too little is voiced to tell. */
export function medianPitch(samples: Float32Array, sampleRate: number): number {
  const [sound, rate] = slower(samples, sampleRate);
  const length = Math.round(FRAME_SECONDS * rate);
  const hop = Math.round(HOP_SECONDS * rate);
  const found: number[] = [];
  for (let from = 0; from + length <= sound.length; from += hop) {
    const pitch = framePitch(sound.subarray(from, from + length), rate);
    if (pitch > 0) found.push(pitch);
  }
  found.sort((a, b) => a - b);
  return found.length < 5 ? Number.NaN : (found[found.length >> 1] ?? Number.NaN);
}

/** Averages of neighbours, at about 8 kHz. */
function slower(samples: Float32Array, sampleRate: number): [Float32Array, number] {
  const step = Math.max(1, Math.floor(sampleRate / RATE));
  const out = new Float32Array(Math.floor(samples.length / step));
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let k = i * step; k < (i + 1) * step; k++) sum += samples[k] ?? 0;
    out[i] = sum / step;
  }
  return [out, sampleRate / step];
}

/** Pitch of one frame, 0 where it has none. The shortest period nearly as good as the best one: no octave too low. */
function framePitch(frame: Float32Array, rate: number): number {
  const shortest = Math.floor(rate / HIGHEST);
  const longest = Math.min(frame.length - 1, Math.ceil(rate / LOWEST));
  const likeness: number[] = [];
  for (let lag = shortest; lag <= longest; lag++) {
    let both = 0;
    let here = 1e-9;
    let there = 1e-9;
    for (let i = 0; i + lag < frame.length; i++) {
      const a = frame[i] ?? 0;
      const b = frame[i + lag] ?? 0;
      both += a * b;
      here += a * a;
      there += b * b;
    }
    likeness.push(both / Math.sqrt(here * there));
  }
  const best = Math.max(...likeness);
  if (best < VOICED) return 0;
  const peak = likeness.findIndex(
    (value, i) => value > 0.9 * best && value >= (likeness[i - 1] ?? -1) && value >= (likeness[i + 1] ?? -1),
  );
  return rate / (shortest + Math.max(0, peak));
}

/** Median pitch of the model's two voices, in hertz. */
export type VoicePitch = Readonly<Record<1 | 2, number>>;

/** Sound that is nearer to the pitch of the other voice than to its own. */
export function isOtherVoice(
  samples: Float32Array,
  sampleRate: number,
  voice: 1 | 2,
  pitch: VoicePitch,
): boolean {
  const heard = medianPitch(samples, sampleRate);
  const distance = (to: number) => Math.abs(Math.log(heard / to));
  return distance(pitch[voice === 1 ? 2 : 1]) < distance(pitch[voice]);
}
