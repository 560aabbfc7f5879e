import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTinyPack } from "../../pipelines/animatediff/testing/tiny-pack.ts";
import { TINY_VOICE, writeTinyVoice } from "../../pipelines/dia/testing/tiny-voice.ts";

/** The tiny pack of the golden runs with a tiny voice: random weights, every part of the real thing. */
export async function writeSpeakingPack(): Promise<string> {
  const folder = await writeTinyPack();
  await writeTinyVoice(folder);
  const path = join(folder, "pack.json");
  const manifest = JSON.parse(await readFile(path, "utf8"));
  Object.assign(manifest.components, { dia: "dia", dac: "dac" });
  const voice = { ...TINY_VOICE, speakers: { S1: "temo", S2: "felfel" } };
  await writeFile(path, JSON.stringify({ ...manifest, voice }));
  return folder;
}
