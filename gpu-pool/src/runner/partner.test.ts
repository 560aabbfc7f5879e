import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeFloats, writeFloats } from "./arrays.ts";
import type { FromRunner } from "./messages.ts";
import { Partner } from "./partner.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-partner-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const pass = {
  ...{ region: 0, part: "uncond" as const, window: [0, 1], timestep: 7, height: 2, width: 2 },
  sample: Float32Array.of(1, 2, 3),
};

test("asks whoever is there; an answer comes back as it was written", async () => {
  const sent: FromRunner[] = [];
  const partner = new Partner("job/1", folder, (message) => sent.push(message));
  expect(partner.ask(pass)).toBeUndefined();
  partner.there = true;
  const answer = partner.ask(pass);
  // What follows is a pass of the model, which lets nothing else run.
  const [asked] = sent;
  if (asked?.type !== "pass") throw new Error("no pass was asked for");
  expect([...takeFloats(asked.pass.file)]).toEqual([1, 2, 3]);
  const file = join(folder, "answer.f32");
  writeFloats(file, Float32Array.of(4, 5));
  partner.answered({ id: asked.pass.id, file });
  expect([...((await answer) ?? [])]).toEqual([4, 5]);
  expect(partner.passes).toBe(1);
});

test("a large pass is asked for before anything else runs", () => {
  const sent: FromRunner[] = [];
  const partner = new Partner("job/4", folder, (message) => sent.push(message));
  partner.there = true;
  partner.ask({ ...pass, sample: new Float32Array(2_000_000) });
  expect(sent).toHaveLength(1);
});

test("one that goes, fails or does not answer leaves the pass to whoever asked, and is not asked again", async () => {
  const silent = new Partner("job/1", folder, () => {}, 30);
  silent.there = true;
  await expect(silent.ask(pass)).rejects.toThrow("gone");
  expect(silent.ask(pass)).toBeUndefined();
  const failing: Partner = new Partner("job/2", folder, (message) => {
    if (message.type === "pass") failing.answered({ id: message.pass.id, problem: "out of memory" });
  });
  failing.there = true;
  await expect(failing.ask(pass)).rejects.toThrow("out of memory");
  const leaving: Partner = new Partner("job/3", folder, () => {
    leaving.there = false;
  });
  leaving.there = true;
  await expect(leaving.ask(pass)).rejects.toThrow("gone");
});

test("one that is asked for several passes has its time for each", async () => {
  const asked: string[] = [];
  const partner = new Partner(
    "job/5",
    folder,
    (message) => {
      if (message.type === "pass") asked.push(message.pass.file);
    },
    400,
  );
  partner.there = true;
  const answers = [partner.ask(pass), partner.ask(pass)];
  for (const id of [1, 2]) {
    await Bun.sleep(250);
    const file = join(folder, `late-${id}.f32`);
    writeFloats(file, Float32Array.of(id));
    partner.answered({ id, file });
  }
  expect((await Promise.all(answers)).map((values) => values?.[0])).toEqual([1, 2]);
  expect(asked).toHaveLength(2);
});
