import { expect, test } from "bun:test";
import { speakerFocus } from "./focus.ts";

const line = (character: string, start: number, end: number) => ({
  speaker: "S1",
  character,
  text: "…",
  start,
  end,
});
const clip = {
  fps: 8,
  speaker_focus: 1,
  characters: [
    { name: "temo", weight: 0.5 },
    { name: "felfel", weight: 0.5 },
  ],
};
const lines = [line("temo", 0, 1), line("felfel", 2, 3)];

test("the speaker gets four fifths of the weight, and nobody's total changes", () => {
  const focus = speakerFocus(clip, { lines });
  expect(focus(4).temo).toBeCloseTo(1.6);
  expect(focus(4).felfel).toBeCloseTo(0.4);
  expect(focus(20).felfel).toBeCloseTo(1.6);
  for (let frame = 0; frame < 32; frame++) {
    const { temo = 0, felfel = 0 } = focus(frame);
    expect(0.5 * temo + 0.5 * felfel).toBeCloseTo(1);
  }
});

test("between lines the plain weights come back, without a jump", () => {
  const focus = speakerFocus(clip, { lines });
  expect(focus(12)).toEqual({ temo: 1, felfel: 1 });
  expect(focus(9).temo).toBeCloseTo(1.3);
});

test("half a focus moves half the way; none, one character alone or a stranger changes nothing", () => {
  expect(speakerFocus({ ...clip, speaker_focus: 0.5 }, { lines })(4).temo).toBeCloseTo(1.3);
  expect(speakerFocus({ ...clip, speaker_focus: 0 }, { lines })(4)).toEqual({ temo: 1, felfel: 1 });
  expect(speakerFocus({ ...clip, characters: [{ name: "temo", weight: 1 }] }, { lines })(4)).toEqual({
    temo: 1,
  });
  expect(speakerFocus(clip, { lines: [line("bob", 0, 1)] })(4)).toEqual({ temo: 1, felfel: 1 });
});
