import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DiaVoice, loadDia, type Speech, type SpeechAudio } from "./index.ts";
import { TINY_VOICE, writeTinyVoice } from "./testing/tiny-voice.ts";

let dir: string;
let voice: DiaVoice;
/** Low enough for the few frames that the random models can make to be two seconds. */
const RATE = 4000;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cartoon-listening-"));
  await writeTinyVoice(dir, RATE);
  const manifest = {
    components: { dia: "dia", dac: "dac" },
    characters: [],
    voice: { ...TINY_VOICE, sample_rate: RATE, characters_per_second: 14, speakers: {} },
  };
  voice = await loadDia({ dir, manifest }, { device: "cpu", threads: 1 });
});
afterAll(async () => {
  await voice.release();
  await rm(dir, { recursive: true, force: true });
});

const script = (seed: number) => ({
  lines: ["Hello there, my old friend.", "And a good day to you."].map((text) => ({ speaker: "S1", text })),
  ...{ max_new_tokens: 230, guidance_scale: 2, temperature: 1, top_p: 0.9, top_k: 12, seed, voices: [] },
});

async function listen(seed: number): Promise<{ heard: SpeechAudio[]; speech: Speech }> {
  const heard: SpeechAudio[] = [];
  const speech = await voice.speak(script(seed), { onAudio: (audio) => void heard.push(audio) });
  return { heard, speech };
}

/** What a client plays that has not begun: of each chunk the last attempt. */
const inTheEnd = (heard: readonly SpeechAudio[]) =>
  heard.filter(({ chunk, attempt }) =>
    heard.every((other) => other.chunk !== chunk || other.attempt <= attempt),
  );
const seconds = (parts: readonly SpeechAudio[]) =>
  parts.reduce((sum, { samples }) => sum + samples.length, 0) / RATE;

test("the first sentences are heard while they are made, and once more where they had to be made again", async () => {
  let continued = 0;
  let replaced = 0;
  // Random models seldom say it right; what a seed gives is always the same, but for where the parts are cut.
  for (const seed of [4, 9, 10, 13, 17, 18, 20, 21]) {
    const { heard, speech } = await listen(seed);
    expect(heard.map(({ part }) => part)).toEqual(heard.map((_, i) => i));
    expect(heard.map(({ last }) => last)).toEqual(heard.map((_, i) => i === heard.length - 1));
    const first = heard.filter(({ chunk }) => chunk === 0);
    expect(heard.slice(0, first.length)).toEqual(first);
    const attempts = first.map(({ attempt }) => attempt);
    expect(attempts).toEqual(attempts.toSorted((a, b) => a - b));
    // Each attempt begins at the beginning, and goes on where it was.
    for (const attempt of new Set(attempts)) {
      const own = first.filter((part) => part.attempt === attempt);
      for (const [i, { start }] of own.entries()) expect(start).toBeCloseTo(seconds(own.slice(0, i)), 2);
    }
    const kept = inTheEnd(heard);
    const gaps = 0.28 * (new Set(heard.map(({ chunk }) => chunk)).size - 1);
    expect(seconds(kept) + gaps).toBeCloseTo(speech.samples.length / RATE, 2);
    if (first.length > 1 && attempts.at(-1) === 0) continued += 1;
    if (kept.length < heard.length) replaced += 1;
  }
  expect(continued).toBeGreaterThan(0);
  expect(replaced).toBeGreaterThan(0);
});

test("whether somebody listens or not, the dialogue is the same", async () => {
  for (const seed of [13, 18]) {
    const { speech } = await listen(seed);
    const alone = await voice.speak(script(seed));
    expect(speech.samples).toEqual(alone.samples);
    expect(speech.lines).toEqual(alone.lines);
    expect(speech.warnings).toEqual(alone.warnings);
  }
});
