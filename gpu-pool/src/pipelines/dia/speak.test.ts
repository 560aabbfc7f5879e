import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SpeechSpec } from "@cartoon/protos/render-spec";
import { toWav } from "../../media/wav.ts";
import { integratedLoudness, truePeak } from "../../speech/loudness.ts";
import { type DiaVoice, loadDia, type SpeechAudio, type SpeechProgress, type VoicePack } from "./index.ts";
import { TINY_VOICE, writeTinyVoice } from "./testing/tiny-voice.ts";

let dir: string;
let voice: DiaVoice;

/** A pack with the random models of the goldens: it speaks noise, but it speaks. */
async function writePack(): Promise<VoicePack> {
  await writeTinyVoice(dir);
  const character = (name: string, speaker: string) => ({
    name,
    label: name,
    speaker,
    weight: 1,
    pair_weight: 0.5,
    triggers: [],
    voice: {},
    suggestions: [],
  });
  return {
    dir,
    manifest: {
      components: { dia: "dia", dac: "dac" },
      characters: [character("temo", "S1"), character("felfel", "S2")],
      voice: {
        ...TINY_VOICE,
        characters_per_second: 14,
        speakers: { S1: "temo", S2: "felfel" },
      },
    },
  };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "cartoon-speak-"));
  voice = await loadDia(await writePack(), { device: "cpu", threads: 1 });
});
afterAll(async () => {
  await voice.release();
  await rm(dir, { recursive: true, force: true });
});

const script: SpeechSpec = {
  lines: [
    { speaker: "temo", text: "Look at this!" },
    { speaker: "felfel", text: "Amazing discovery, number 1." },
    { speaker: "S1", text: "Shall we go now?" },
  ],
  max_new_tokens: 90,
  guidance_scale: 2,
  temperature: 1,
  top_p: 0.9,
  top_k: 12,
  seed: 3,
  voices: [],
};

describe("a dialogue", () => {
  test("comes with lines, mouths, loudness, audio while it is made and progress", async () => {
    const heard: SpeechAudio[] = [];
    const progress: SpeechProgress[] = [];
    const speech = await voice.speak(script, {
      onAudio: (audio) => void heard.push(audio),
      onProgress: (p) => void progress.push(p),
    });
    const seconds = speech.samples.length / speech.sampleRate;
    expect(speech.sampleRate).toBe(8000);
    expect(speech.lines.map(({ speaker, character, text }) => [speaker, character, text])).toEqual([
      ["S1", "temo", "Look at this!"],
      ["S2", "felfel", "Amazing discovery, number 1."],
      ["S1", "temo", "Shall we go now?"],
    ]);
    let before = 0;
    for (const { start, end } of speech.lines) {
      expect(start).toBeGreaterThanOrEqual(before - 1e-6);
      expect(end).toBeGreaterThanOrEqual(start);
      expect(end).toBeLessThanOrEqual(seconds + 0.02);
      before = start;
    }
    expect(speech.mouth.levels.length).toBe(Math.ceil(seconds * speech.mouth.rate));
    expect(Math.abs(integratedLoudness(speech.samples, 8000) + 16)).toBeLessThan(0.6);
    expect(20 * Math.log10(truePeak(speech.samples))).toBeLessThan(-1);
    expect(heard.length).toBeGreaterThan(1);
    expect(heard.map(({ last }) => last)).toEqual(heard.map((_, i) => i === heard.length - 1));
    expect(progress.at(-1)?.chunk).toBe(heard.length);
    expect(speech.timings.frames).toBeGreaterThan(50);
  });

  test("is the same from the same seed and another from another", async () => {
    const first = await voice.speak(script);
    const again = await voice.speak(script);
    const other = await voice.speak({ ...script, seed: 4 });
    expect(again.samples).toEqual(first.samples);
    expect(again.lines).toEqual(first.lines);
    expect(other.samples).not.toEqual(first.samples);
  });

  test("that goes wrong is tried again at most twice and says so", async () => {
    const { warnings, timings } = await voice.speak({
      ...script,
      lines: script.lines.slice(0, 2),
      max_new_tokens: 40,
    });
    expect(timings.retries).toBe(4);
    expect(warnings.map(({ field }) => field)).toEqual(["speech.lines[0]", "speech.lines[1]"]);
    expect(warnings[0]?.rule).toStartWith("the voice went wrong: ");
    expect(warnings[0]?.used).toContain("2 more attempts");
  });

  test("that is tried again comes out the same each time", async () => {
    const short = { ...script, max_new_tokens: 40 };
    const first = await voice.speak(short);
    const again = await voice.speak(short);
    expect(first.timings.retries).toBeGreaterThan(0);
    expect(again.timings.retries).toBe(first.timings.retries);
    expect(again.samples).toEqual(first.samples);
    expect(again.warnings).toEqual(first.warnings);
    expect(again.lines).toEqual(first.lines);
  });

  test("comes out beside others as it does alone", async () => {
    const others = [3, 4, 5].map((seed) => ({ ...script, seed, lines: script.lines.slice(seed - 3) }));
    const together = await Promise.all(others.map((one) => voice.speak(one)));
    for (const [i, one] of others.entries()) {
      const alone = await voice.speak(one);
      expect(together[i]?.samples).toEqual(alone.samples);
      expect(together[i]?.lines).toEqual(alone.lines);
      expect(together[i]?.warnings).toEqual(alone.warnings);
    }
  });

  test("stops when it is aborted", async () => {
    const abort = new AbortController();
    const onProgress = () => abort.abort(new Error("enough"));
    await expect(voice.speak(script, { signal: abort.signal, onProgress })).rejects.toThrow("enough");
  });

  test("does not read tags out", async () => {
    const said = (text: string) => voice.speak({ ...script, lines: [{ speaker: "temo", text }] });
    expect((await said("[S1] Hello [S2] there.")).samples).toEqual((await said("Hello there.")).samples);
  });

  test("takes the cast's first character for text without a name", async () => {
    const lines = [{ speaker: "S1", text: "Hello there, my friend." }];
    const { lines: spoken } = await voice.speak({ ...script, lines }, { cast: ["felfel"] });
    expect(spoken[0]).toMatchObject({ speaker: "S2", character: "felfel" });
  });

  test("leaves out what cannot be said, with a warning; refuses a dialogue of nothing", async () => {
    const empty = { speaker: "temo", text: "(laughs)" };
    const { lines, warnings } = await voice.speak({ ...script, lines: [empty, ...script.lines.slice(0, 1)] });
    expect(lines.map(({ text }) => text)).toEqual(["Look at this!"]);
    expect(warnings[0]?.field).toBe("speech.lines[0].text");
    await expect(voice.speak({ ...script, lines: [empty] })).rejects.toThrow("nothing to say");
    const unknown = [{ speaker: "bob", text: "Hello." }];
    await expect(voice.speak({ ...script, lines: unknown })).rejects.toThrow('"bob" is unknown');
  });
});

describe("a reference clip", () => {
  const clip = (seconds: number) =>
    toWav({
      samples: Float32Array.from(
        { length: seconds * 22_050 },
        (_, i) => 0.3 * Math.sin(i * 0.05) * Math.sin(i * 0.0007),
      ),
      sampleRate: 22_050,
    });
  const lines = [{ speaker: "temo", text: "Hello there." }];
  // The random models make 250 frames a second, so a clip must be very short to leave room for speech.
  const short = { ...script, lines, max_new_tokens: 60 };

  test("changes the voice of its character", async () => {
    const plain = await voice.speak(short);
    const reference = { character: "temo", wav: clip(0.55), transcript: "Hi." };
    const cloned = await voice.speak(short, { references: [reference] });
    const bystander = await voice.speak(short, { references: [{ ...reference, character: "felfel" }] });
    expect(cloned.samples).not.toEqual(plain.samples);
    expect(bystander.samples).toEqual(plain.samples);
    expect(cloned.lines[0]?.character).toBe("temo");
  });

  test("that is too long for the model is refused", async () => {
    const reference = { character: "temo", wav: clip(3), transcript: "Hi." };
    await expect(voice.speak(short, { references: [reference] })).rejects.toThrow("too long");
  });

  test("that cannot be used is refused by name", async () => {
    const bad = (wav: Uint8Array) =>
      voice.speak(short, { references: [{ character: "temo", wav, transcript: "Hi." }] });
    await expect(bad(new Uint8Array(10))).rejects.toThrow("not a usable WAV file");
    await expect(bad(toWav({ samples: new Float32Array(30_000), sampleRate: 16_000 }))).rejects.toThrow(
      "voice of temo: the clip holds less than half a second of speech",
    );
  });
});
