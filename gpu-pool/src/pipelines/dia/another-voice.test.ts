import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PackManifest } from "@cartoon/protos/pack-manifest";
import { medianPitch } from "../../speech/pitch.ts";
import { loadDia } from "./index.ts";

setDefaultTimeout(60_000);

const dir = join(import.meta.dirname, "../../../packs/toon");
let manifest: PackManifest;
let cacheDir: string;
beforeAll(async () => {
  manifest = PackManifest.parse(JSON.parse(await readFile(join(dir, "pack.json"), "utf8")));
  cacheDir = await mkdtemp(join(tmpdir(), "cartoon-another-voice-"));
});
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

/** Temo's line, with a pack that says what pitch its voices have. */
async function say(pitch: { S1: number; S2: number } | undefined) {
  const { voice } = manifest;
  if (!voice) throw new Error("the pack has no voice");
  const pack = { dir, manifest: { ...manifest, voice: { ...voice, pitch } } };
  const dia = await loadDia(pack, { device: "cpu", threads: 1, cacheDir });
  const speech = await dia.speak({
    lines: [{ speaker: "temo", text: "We can rest under the old tree." }],
    max_new_tokens: 4096,
    guidance_scale: voice.guidance_scale.default,
    temperature: voice.temperature.default,
    top_p: voice.top_p.default,
    top_k: voice.top_k.default,
    seed: 3,
    voices: [],
  });
  await dia.release();
  return { ...speech, wrong: speech.warnings.filter(({ rule }) => rule.includes("another voice")) };
}

test("a line in the pitch of the other voice is spoken again, and that is told", async () => {
  const plain = await say(undefined);
  const heard = medianPitch(plain.samples, plain.sampleRate);
  expect(heard).toBeWithin(70, 420);
  const right = await say({ S1: heard, S2: 1.8 * heard });
  expect(right.wrong).toEqual([]);
  expect(right.samples).toEqual(plain.samples);
  const wrong = await say({ S1: 1.8 * heard, S2: heard });
  expect(wrong.wrong).toMatchObject([{ field: "speech.lines[0]" }]);
  expect(wrong.timings.retries).toBeGreaterThan(0);
});
