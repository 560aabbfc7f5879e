import { expect, test } from "bun:test";
import fc from "fast-check";
import { toWav } from "../media/wav.ts";
import { readWav, resample, WavError } from "./read-wav.ts";

const tone = (length: number, rate: number, hertz: number) =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));

function wav(options: {
  code?: number;
  channels?: number;
  rate?: number;
  bits?: number;
  data?: Uint8Array;
  size?: number;
}) {
  const { code = 1, channels = 1, rate = 16_000, bits = 16, data = new Uint8Array(64) } = options;
  const out = new Uint8Array(44 + data.length);
  const view = new DataView(out.buffer);
  const label = (at: number, text: string) => out.set(new TextEncoder().encode(text), at);
  label(0, "RIFF");
  view.setUint32(4, 36 + data.length, true);
  label(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, code, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint16(34, bits, true);
  label(36, "data");
  view.setUint32(40, options.size ?? data.length, true);
  out.set(data, 44);
  return out;
}

test("reads what we write", () => {
  const samples = tone(800, 16_000, 440);
  const { samples: read, sampleRate } = readWav(toWav({ samples, sampleRate: 16_000 }));
  expect(sampleRate).toBe(16_000);
  for (const [i, value] of read.entries()) expect(value).toBeCloseTo(samples[i] ?? 0, 3);
});

test("reads 8, 24 and 32 bits, floats, stereo, and sizes that streaming recorders leave open", () => {
  expect(readWav(wav({ bits: 8, data: Uint8Array.of(128, 255, 0) })).samples).toEqual(
    Float32Array.of(0, 127 / 128, -1),
  );
  expect(readWav(wav({ bits: 24, data: Uint8Array.of(0, 0, 0x40, 0, 0, 0xc0) })).samples).toEqual(
    Float32Array.of(0.5, -0.5),
  );
  const ints = new Uint8Array(Int32Array.of(2 ** 30, -(2 ** 31)).buffer);
  expect(readWav(wav({ bits: 32, data: ints })).samples).toEqual(Float32Array.of(0.5, -1));
  const floats = new Uint8Array(Float32Array.of(0.25, 0.75).buffer);
  expect(readWav(wav({ code: 3, bits: 32, channels: 2, data: floats })).samples).toEqual(
    Float32Array.of(0.5),
  );
  expect(readWav(wav({ code: 3, bits: 32, data: floats, size: 0xffffffff })).samples).toHaveLength(2);
});

const bad: [string, Uint8Array, string][] = [
  ["nothing", new Uint8Array(0), "no RIFF WAVE header"],
  ["text", new TextEncoder().encode("RIFF this is no sound file"), "no RIFF WAVE header"],
  ["a cut file", wav({ data: new Uint8Array(100) }).slice(0, 90), "cut short"],
  ["a size past the end", wav({ size: 1_000_000 }), "cut short"],
  ["no sound", wav({ data: new Uint8Array(0), size: 0 }), "no sound"],
  ["an unknown format", wav({ code: 85 }), "format 85"],
  ["12 bits", wav({ bits: 12 }), "12 bits"],
  ["no channels", wav({ channels: 0 }), "0 channels"],
  ["a thousand channels", wav({ channels: 1000 }), "1000 channels"],
  ["1 Hz", wav({ rate: 1 }), "1 Hz"],
  ["4 GHz", wav({ rate: 4_000_000_000 }), "4000000000 Hz"],
  [
    "NaN",
    wav({ code: 3, bits: 32, data: new Uint8Array(Float32Array.of(0, Number.NaN).buffer) }),
    "not numbers",
  ],
  [
    "infinity",
    wav({ code: 3, bits: 32, data: new Uint8Array(Float32Array.of(Number.POSITIVE_INFINITY).buffer) }),
    "not numbers",
  ],
  ["an hour", wav({ rate: 4000, bits: 8, data: new Uint8Array(4000 * 31) }), "longer than 30 seconds"],
];
for (const [name, bytes, message] of bad) {
  test(`refuses ${name}`, () => expect(() => readWav(bytes)).toThrow(message));
}

test("any bytes give finite samples or a WavError", () => {
  const good = wav({ data: new Uint8Array(200).map((_, i) => i) });
  const mutated = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 })
    .chain((changes) =>
      fc.nat(good.length).map((length) => {
        const copy = good.slice();
        for (const [at, value] of changes) copy[at] = value;
        return length % 3 === 0 ? copy.slice(0, length) : copy;
      }),
    );
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      try {
        const { samples } = readWav(bytes);
        expect(samples.every((x) => x >= -1 && x <= 1)).toBe(true);
      } catch (error) {
        if (!(error instanceof WavError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});

test("resampling keeps a tone and takes out what the new rate cannot hold", () => {
  const level = (x: Float32Array) =>
    Math.sqrt(x.slice(200, -200).reduce((a, b) => a + b * b, 0) / (x.length - 400));
  const kept = resample(tone(44_100, 44_100, 1000), 44_100, 16_000);
  expect(kept.length).toBe(16_000);
  expect(level(kept)).toBeCloseTo(0.5 / Math.SQRT2, 2);
  expect(level(resample(tone(44_100, 44_100, 11_000), 44_100, 16_000))).toBeLessThan(0.01);
  expect(level(resample(tone(8000, 8000, 1000), 8000, 44_100))).toBeCloseTo(0.5 / Math.SQRT2, 2);
});
