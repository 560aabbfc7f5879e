import { expect, test } from "bun:test";
import { type PlanLimits, type PlanLine, planChunks } from "./plan.ts";
import { cueWarning, planWarnings } from "./plan-warnings.ts";

const limits: PlanLimits = { minSeconds: 5, maxSeconds: 20, charactersPerSecond: 14, sharedVoices: false };
const line = (text: string, character = "temo"): PlanLine => ({
  text,
  character,
  voice: character === "temo" ? 1 : 2,
});
const sentence = "This is a sentence of some forty letters.";
const warn = (lines: PlanLine[], own = limits) => planWarnings(lines, planChunks(lines, own), own);

test("lines of a good length need no word", () => {
  expect(warn([line(`${sentence} ${sentence}`)])).toEqual([]);
});

test("a line that is too long is split, and that is told", () => {
  const [warning, ...others] = warn([line(Array.from({ length: 12 }, () => sentence).join(" "))]);
  expect(warning).toMatchObject({ field: "speech.lines[0].text", given: "about 35.9 s", used: "2 pieces" });
  expect(warning?.rule).toContain("up to 20 s");
  expect(others).toEqual([]);
});

test("short lines are spoken together, and that is told once", () => {
  const [warning, ...others] = warn([
    line(sentence),
    line("No.", "felfel"),
    line(sentence),
    line("Why?", "felfel"),
  ]);
  expect(warning).toMatchObject({ field: "speech.lines", given: "4 lines under 5 s" });
  expect(others).toEqual([]);
});

test("what stays too short is told, unless the voice speaks one line at a time anyway", () => {
  expect(warn([line("Hello there.")])).toMatchObject([{ field: "speech.lines[0]", given: "about 0.9 s" }]);
  expect(warn([line("Hello there.")], { ...limits, maxLines: 1 })).toEqual([]);
});

test("cues that a voice leaves out are told", () => {
  expect(cueWarning(2, "(laughs) So funny (sighs) (laughs)")).toMatchObject([
    { field: "speech.lines[2].text", given: "(laughs) (sighs)" },
  ]);
  expect(cueWarning(2, "Come (right now)")).toEqual([]);
});
