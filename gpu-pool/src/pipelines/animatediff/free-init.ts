import type { Mt19937 } from "../../random/index.ts";
import type { Scheduler } from "../../schedulers/index.ts";
import { type LatentShape, latentCount } from "./latents.ts";

const ORDER = 4;
const STOP_FREQUENCY = 0.25;

/**
 * FreeInit (arXiv 2312.07537): the start of another pass keeps the low frequencies of the finished latents, noised
 * again with the first pass's noise, and takes its high frequencies from fresh noise. Steadier motion for one more
 * full sampling run. diffusers 0.42, `free_init_utils.py`, Butterworth filter of order 4 at 0.25.
 * @param latents result of the pass before
 * @param firstNoise starting latents of the first pass, scaled for the sampler
 */
export function freeInit(
  latents: Float32Array,
  firstNoise: Float32Array,
  shape: LatentShape,
  scheduler: Scheduler,
  random: Mt19937,
): Float32Array {
  const { signal, noise } = scheduler.terminal;
  const noised = latents.map((value, i) => signal * value + noise * (firstNoise[i] as number));
  const fresh = random.randn(latentCount(shape));
  return mixFrequencies(noised, fresh, shape);
}

/** Low frequencies of `low`, high ones of `high`, over frames, rows and columns of each channel. */
export function mixFrequencies(low: Float32Array, high: Float32Array, shape: LatentShape): Float32Array {
  const { channels, frames, height, width } = shape;
  const volume = frames * height * width;
  const filter = butterworth(shape);
  const mixed = new Float32Array(low.length);
  for (let channel = 0; channel < channels; channel++) {
    const from = channel * volume;
    // high + filter·(low − high): one transform instead of two.
    const real = Float64Array.from(
      { length: volume },
      (_, i) => (low[from + i] as number) - (high[from + i] as number),
    );
    const imaginary = new Float64Array(volume);
    transform(real, imaginary, shape, -1);
    for (let i = 0; i < volume; i++) {
      real[i] = (real[i] as number) * (filter[i] as number);
      imaginary[i] = (imaginary[i] as number) * (filter[i] as number);
    }
    transform(real, imaginary, shape, 1);
    for (let i = 0; i < volume; i++)
      mixed[from + i] = (high[from + i] as number) + (real[i] as number) / volume;
  }
  return mixed;
}

/** Low-pass gain of every frequency, zero frequency first. */
function butterworth({ frames, height, width }: LatentShape): Float64Array {
  const gain = new Float64Array(frames * height * width);
  // The filter is designed around the centre; `fftshift` puts frequency k at (k + n/2) mod n.
  const distance = (k: number, n: number) => (2 * ((k + Math.floor(n / 2)) % n)) / n - 1;
  for (let t = 0; t < frames; t++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const square = distance(t, frames) ** 2 + distance(y, height) ** 2 + distance(x, width) ** 2;
        gain[(t * height + y) * width + x] = 1 / (1 + (square / STOP_FREQUENCY ** 2) ** ORDER);
      }
  return gain;
}

/** Discrete Fourier transform along all three axes, in place and without scaling. */
function transform(real: Float64Array, imaginary: Float64Array, shape: LatentShape, sign: 1 | -1): void {
  const { frames, height, width } = shape;
  transformAxis(real, imaginary, { count: width, stride: 1, sign });
  transformAxis(real, imaginary, { count: height, stride: width, sign });
  transformAxis(real, imaginary, { count: frames, stride: height * width, sign });
}

interface Axis {
  count: number;
  stride: number;
  sign: 1 | -1;
}

/** By the definition: the axes are short (16 to 128), and this runs once per pass. */
function transformAxis(real: Float64Array, imaginary: Float64Array, { count, stride, sign }: Axis): void {
  const cos = Float64Array.from({ length: count }, (_, i) => Math.cos((2 * Math.PI * i) / count));
  const sin = Float64Array.from({ length: count }, (_, i) => sign * Math.sin((2 * Math.PI * i) / count));
  const [lineReal, lineImaginary] = [new Float64Array(count), new Float64Array(count)];
  for (let block = 0; block < real.length; block += count * stride)
    for (let offset = block; offset < block + stride; offset++) {
      for (let k = 0; k < count; k++) {
        let [sumReal, sumImaginary] = [0, 0];
        for (let n = 0; n < count; n++) {
          const at = offset + n * stride;
          const angle = (k * n) % count;
          const [c, s] = [cos[angle] as number, sin[angle] as number];
          const [re, im] = [real[at] as number, imaginary[at] as number];
          sumReal += re * c - im * s;
          sumImaginary += re * s + im * c;
        }
        lineReal[k] = sumReal;
        lineImaginary[k] = sumImaginary;
      }
      for (let k = 0; k < count; k++) {
        real[offset + k * stride] = lineReal[k] as number;
        imaginary[offset + k * stride] = lineImaginary[k] as number;
      }
    }
}
