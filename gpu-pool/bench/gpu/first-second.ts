import { toWav } from "../../src/media/wav.ts";
import { loadDia, type VoicePack, type VoiceReference } from "../../src/pipelines/dia/index.ts";
import { memoryUsed, say, watchMemory } from "./measure.ts";

const RATE = 44_100;

/** Full-size Dia and DAC as a pack has them, with settings of the product. */
const pack = (dir: string): VoicePack => ({
  dir,
  manifest: {
    components: { dia: "dia", dac: "dac" },
    characters: [],
    voice: {
      sample_rate: RATE,
      max_tokens: 3072,
      guidance_scale: { default: 5 },
      temperature: { default: 1.4 },
      top_p: { default: 0.95 },
      top_k: { default: 45 },
      chunk_seconds: { min: 5, max: 20 },
      characters_per_second: 14,
      speakers: {},
    },
  },
});

const LINES = [
  "Look at this incredible landscape, the mountains are glowing in the evening light and the river is as blue as the sky!",
  "Amazing discovery, my dear friend! Let us take a picture before the sun goes down behind those hills.",
];

/** Five seconds of something like a voice. */
function clip(pitch: number): Uint8Array {
  const samples = Float32Array.from(
    { length: 5 * RATE },
    (_, i) =>
      0.3 * Math.sin((i * pitch * 2 * Math.PI) / RATE) * (0.6 + 0.4 * Math.sin((i * 3 * 2 * Math.PI) / RATE)),
  );
  return toWav({ samples, sampleRate: RATE });
}

class Heard extends Error {}

/**
 * Milliseconds from the request to the samples of the first second of a dialogue: text encoder, prefill, generation and
 * DAC, as a runner does it; the first time in a process, then in a warm one, and with two reference clips of the request.
 */
export async function firstSecond(folder: string, cacheDir: string, device: "cpu" | "cuda"): Promise<void> {
  const watch = watchMemory();
  const voice = await loadDia(pack(folder), { cacheDir, device });
  const references: VoiceReference[] = ["S1", "S2"].map((character, i) => ({
    character,
    wav: clip(120 + 80 * i),
    transcript: "Hello there, it is good to see you.",
  }));
  const time = async (seed: number, given: readonly VoiceReference[]) => {
    const abort = new AbortController();
    const started = performance.now();
    let first: { ms: number; seconds: number } | undefined;
    let seconds = 0;
    const lines = LINES.map((text, i) => ({ speaker: `S${i + 1}`, text }));
    const settings = { max_new_tokens: 4096, guidance_scale: 5, temperature: 1.4, top_p: 0.95, top_k: 45 };
    try {
      await voice.speak(
        { lines, ...settings, seed, voices: [] },
        {
          signal: abort.signal,
          references: given,
          onAudio: ({ samples, sampleRate }) => {
            seconds += samples.length / sampleRate;
            if (seconds < 0.9) return;
            first = { ms: Math.round(performance.now() - started), seconds };
            abort.abort(new Heard());
          },
        },
      );
    } catch (error) {
      if (!(error instanceof Heard)) throw error;
    }
    return first;
  };
  const cold = await time(1, []);
  const warm = [await time(2, []), await time(3, []), await time(4, [])];
  const coldClips = await time(5, references);
  const clips = [await time(6, references), await time(7, references)];
  const peakMiB = await watch.peak();
  say({ section: "first second", cold, warm, coldClips, clips, memoryMiB: memoryUsed(), peakMiB });
  await voice.release();
}
