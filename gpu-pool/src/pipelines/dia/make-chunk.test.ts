import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uniform } from "../../../test-fixtures/voice/formula-weights.ts";
import type { Codes } from "./delay-pattern.ts";
import type { GenerationRequest } from "./generate.ts";
import { GenerationQueue } from "./generation-queue.ts";
import { type ChunkContext, makeChunks } from "./make-chunk.ts";
import { type DacModel, type DiaModel, loadDacModel, loadDiaModel } from "./model.ts";
import { writeTinyVoice } from "./testing/tiny-voice.ts";

/** The queue, with a note of what it was asked for. */
class NotingQueue extends GenerationQueue {
  readonly asked: GenerationRequest[] = [];

  override generate(...[requests, options]: Parameters<GenerationQueue["generate"]>) {
    this.asked.push(...requests);
    return super.generate(requests, options);
  }
}

let root: string;
let diaModel: DiaModel;
let dacModel: DacModel;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cartoon-chunks-"));
  await writeTinyVoice(root);
  const options = { cacheDir: root, device: "cpu" as const, threads: 1 };
  diaModel = await loadDiaModel(join(root, "dia"), { ...options, alignmentHead: { layer: 1, head: 0 } });
  dacModel = await loadDacModel(join(root, "dac"), options);
});
afterAll(async () => {
  await diaModel.release();
  await dacModel.release();
  await rm(root, { recursive: true, force: true });
});

const clip = (name: string, frames: number): Codes =>
  Array.from({ length: frames }, (_, f) => Array.from(uniform(`${name} ${f}`, 4), (u) => Math.floor(u * 32)));

function contextOf(queue: NotingQueue): ChunkContext {
  return {
    ...{ dia: diaModel, dac: dacModel, queue, signal: undefined, onFrames: () => {} },
    settings: {
      ...{
        frameRate: 100,
        sampleRate: 8000,
        normalise: false,
        spaces: undefined,
        speakers: {},
        maxFrames: 60,
      },
      limits: { minSeconds: 0.1, maxSeconds: 2, charactersPerSecond: 60, sharedVoices: false },
    },
    speech: { max_new_tokens: 40, guidance_scale: 2, temperature: 1, top_p: 0.9, top_k: 12, seed: 77 },
    prompts: new Map([
      ["temo", { codes: clip("temo", 6), transcript: "I am T." }],
      ["zed", { codes: clip("zed", 6), transcript: "I, Z." }],
    ]),
    clock: { generateSeconds: 0, codecSeconds: 0, frames: 0, retries: 0 },
  };
}

const say = (...turns: [string, 1 | 2, string][]) => ({
  segments: turns.map(([character, voice, text], line) => ({ line, character, voice, text })),
  seconds: 0.2,
});

test("every chunk has the same seed, each character the same clip, the first to speak is S1", async () => {
  const queue = new NotingQueue(diaModel, 4);
  const context = contextOf(queue);
  await makeChunks(context, [say(["temo", 1, "Go."]), say(["zed", 2, "Up."]), say(["temo", 1, "Oh."])]);
  const firsts = queue.asked.slice(0, 3);
  expect(firsts.map(({ seed }) => seed)).toEqual([77, 77, 77]);
  const clips = [context.prompts.get("temo")?.codes, context.prompts.get("zed")?.codes];
  expect(firsts.map(({ prompt }) => prompt)).toEqual(
    [clips[0], clips[1], clips[0]].map((codes) => codes ?? []),
  );
  expect(firsts.map(({ text }) => new TextDecoder().decode(text))).toEqual([
    "\u0001 I am T. Go. \u0001",
    "\u0001 I, Z. Up. \u0001",
    "\u0001 I am T. Oh. \u0001",
  ]);
});

test("two characters alternate, each after its own clip, and the last word has a tag behind it", async () => {
  const queue = new NotingQueue(diaModel, 4);
  const context = contextOf(queue);
  const [made] = await makeChunks(context, [say(["zed", 2, "Up?"], ["temo", 1, "Go."], ["temo", 1, "Now."])]);
  const [first] = queue.asked;
  expect(new TextDecoder().decode(first?.text)).toBe(
    "\u0001 I, Z. \u0002 I am T. \u0001 Up? \u0002 Go. Now. \u0001",
  );
  expect(first?.prompt).toHaveLength(12);
  expect(made?.starts).toEqual([0, 6, 12]);
});

test("what goes wrong is made again with derived seeds, twice at most, always the same ones", async () => {
  const seeds = async () => {
    const queue = new NotingQueue(diaModel, 4);
    // Far too long a text for forty frames: every attempt fails.
    const [made] = await makeChunks(contextOf(queue), [{ ...say(["temo", 1, "Go."]), seconds: 9 }]);
    expect(made?.retries).toBe(2);
    expect(made?.failures).not.toEqual([]);
    return queue.asked.map(({ seed }) => seed);
  };
  const first = await seeds();
  expect(new Set(first).size).toBe(3);
  expect(first[0]).toBe(77);
  expect(await seeds()).toEqual(first);
});
