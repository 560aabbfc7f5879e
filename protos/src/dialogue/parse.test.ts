import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DialogueError, type DialogueErrorCode, parseDialogue } from "./parse.ts";

const characters = [
  { name: "temo", label: "Temo" },
  { name: "felfel", label: "Felfel" },
  { name: "captain-zed", label: "Captain Zed" },
];
const parse = (script: string, cast?: string[]) => parseDialogue(script, { characters, cast });
const pairs = (script: string, cast?: string[]) => parse(script, cast).lines.map((l) => [l.speaker, l.text]);

function refusal(script: string): { code: DialogueErrorCode; message: string } {
  try {
    parse(script);
  } catch (error) {
    if (error instanceof DialogueError) return error;
    throw error;
  }
  throw new Error("the script was accepted");
}

describe("speakers", () => {
  test("the brief's example: tags and names, never spoken", () => {
    expect(pairs("[S1] Temo: Look at this incredible landscape! [S2] Felfel: Amazing discovery!")).toEqual([
      ["temo", "Look at this incredible landscape!"],
      ["felfel", "Amazing discovery!"],
    ]);
  });

  test("tags alone keep S1 and S2, or take the cast's names", () => {
    expect(pairs("[S1] Hi. [S2] Hello.")).toEqual([
      ["S1", "Hi."],
      ["S2", "Hello."],
    ]);
    expect(pairs("[s1] Hi. [ S2 ]: Hello.", ["felfel", "temo"])).toEqual([
      ["felfel", "Hi."],
      ["temo", "Hello."],
    ]);
  });

  test("names alone, on one line or several, any case, with markdown and asides", () => {
    expect(
      pairs("Temo: One. Felfel: Two!\nTEMO: Three?\n**Felfel:** Four (laughs)\ntemo (whispers): five"),
    ).toEqual([
      ["temo", "One."],
      ["felfel", "Two!"],
      ["temo", "Three?"],
      ["felfel", "Four (laughs)"],
      ["temo", "five"],
    ]);
  });

  test("one speaker without any mark; line breaks make lines", () => {
    expect(pairs("Hello there.\n\nHow are you?")).toEqual([
      ["S1", "Hello there."],
      ["S1", "How are you?"],
    ]);
    expect(pairs("Hello there.", ["felfel"])).toEqual([["felfel", "Hello there."]]);
  });

  test("a tag named once stays with that character", () => {
    expect(pairs("[S1] Ah. [S1] Temo: Hi [S2] Felfel: Hey [S1] How are you? [S2] Fine.")).toEqual([
      ["temo", "Ah."],
      ["temo", "Hi"],
      ["felfel", "Hey"],
      ["temo", "How are you?"],
      ["felfel", "Fine."],
    ]);
  });

  test("more than two characters, two-word names, screenplay form, bracketed names", () => {
    expect(pairs("[S3] Captain Zed: Go!\nTemo:\nNow?\n[Felfel] Yes.\ncaptain zed: Ha.")).toEqual([
      ["captain-zed", "Go!"],
      ["temo", "Now?"],
      ["felfel", "Yes."],
      ["captain-zed", "Ha."],
    ]);
  });

  test("a closing bare tag is no line", () => {
    expect(pairs("[S1] Hi. [S2] Bye. [S1]")).toHaveLength(2);
  });

  test("other ways to mark a turn", () => {
    expect(pairs("S1: Hello S2: Hi")).toEqual([
      ["S1", "Hello"],
      ["S2", "Hi"],
    ]);
    const pair = [
      ["temo", "hello."],
      ["felfel", "hi."],
    ];
    expect(pairs("[S1] Temo says: hello. [S2] Felfel replies: hi.")).toEqual(pair);
    expect(pairs("Temo - hello.\nFelfel — hi.")).toEqual(pair);
    expect(pairs('"Temo": hello. "Felfel": hi.')).toEqual(pair);
    expect(pairs("(Temo) hello.\n(Felfel) hi.")).toEqual(pair);
    expect(pairs("- Temo: hello.\n- Felfel: hi.")).toEqual(pair);
    expect(pairs("[S1]Temo:hello.[S2]Felfel:hi.")).toEqual(pair);
    expect(pairs("• One\n• Two")).toEqual([
      ["S1", "One"],
      ["S1", "Two"],
    ]);
  });

  test("scripts as they come out of lists, chats and screenplays", () => {
    const pair = [
      ["temo", "hello"],
      ["felfel", "hi"],
    ];
    for (const script of [
      "1. Temo: hello\n2. Felfel: hi",
      "1) [S1] Temo: hello\n2) [S2] Felfel: hi",
      "[S1: Temo] hello [S2: Felfel] hi",
      "[S1 Temo] hello\n[S2 - Felfel] hi",
      "<Temo> hello\n<Felfel> hi",
      "{Temo} hello\n{Felfel} hi",
      "TEMO\nhello\n\nFELFEL\nhi",
      "**Temo**\nhello\n**Felfel**\nhi",
      "Temo: hello\n---\nFelfel: hi",
      "# Scene 1\nTemo: hello\nINT. CAVE - NIGHT\nFelfel: hi",
      "Temo: hello Felfel: hi",
      "temo:hello felfel:hi",
      "Témo: hello\nFelfél: hi",
    ]) {
      expect([script, pairs(script)]).toEqual([script, pair]);
    }
    const tagged = [
      "<S1> hello <S2> hi",
      "(S1) hello (S2) hi",
      "Speaker 1: hello\nSpeaker 2: hi",
      "speaker1: hello speaker2: hi",
    ];
    for (const script of tagged) expect([script, pairs(script, ["temo", "felfel"])]).toEqual([script, pair]);
    expect(parse("# Scene 1\nTemo: hello").warnings).toMatchObject([{ given: "# Scene 1", used: "" }]);
  });

  test("numbers, headings and names that are meant to be said are said", () => {
    const said = (script: string) => pairs(script).map(([, text]) => text);
    expect(said("Temo: 3. 2. 1. Go!\n1. Tell Felfel: run.")).toEqual([
      "3. 2. 1. Go!",
      "1. Tell Felfel: run.",
    ]);
    expect(said("Temo: I live in room 7: come by.\nScene 5: a cave.")).toEqual([
      "I live in room 7: come by.",
      "Scene 5: a cave.",
    ]);
    expect(said("Where is Temo")).toEqual(["Where is Temo"]);
  });

  test("names of several words, with numbers and accents", () => {
    const characters = [
      { name: "old-king", label: "The Old King of Mars" },
      { name: "robot-9", label: "Robot 9" },
      { name: "zoe", label: "Zoë" },
    ];
    const { lines } = parseDialogue("The Old King: hm\nold king: hm", {
      characters: [{ name: "old-king", label: "The Old King" }],
    });
    expect(lines).toEqual([
      { speaker: "old-king", text: "hm" },
      { speaker: "old-king", text: "hm" },
    ]);
    const own = parseDialogue("Robot 9: Beep.\nZoe: What? ROBOT 9: Beep.", { characters });
    expect(own.lines.map(({ speaker }) => speaker)).toEqual(["robot-9", "zoe", "robot-9"]);
  });

  test("names inside a sentence and colons in speech are spoken", () => {
    expect(pairs("Temo: I told Felfel: run at 7:30! Remember: be quick.")).toEqual([
      ["temo", "I told Felfel: run at 7:30! Remember: be quick."],
    ]);
    expect(pairs("This is amazing: look. Countdown: three, two, one. Part 2: go!")).toEqual([
      ["S1", "This is amazing: look. Countdown: three, two, one. Part 2: go!"],
    ]);
  });
});

describe("cues and characters", () => {
  test("cues in any brackets become Dia's own", () => {
    expect(pairs("[S1] *laughs* So funny [sighs] (Coughing) yes")).toEqual([
      ["S1", "(laughs) So funny (sighs) (coughs) yes"],
    ]);
  });

  test("directions and emoji are left out with a warning, other parentheses stay", () => {
    const { lines, warnings } = parse("(whispers) Come (right now) here 😀 [door opens] please");
    expect(lines.map((l) => l.text).join(" ")).toBe("Come (right now) here please");
    expect(warnings.map((w) => w.given)).toEqual(["(whispers)", "😀", "[door opens]"]);
    expect(warnings.every((w) => w.field === "dialogue")).toBe(true);
  });

  test("accents and typographic marks are fine", () => {
    expect(pairs("Voilà, it’s “naïve” – 5 € at 20°C…")).toEqual([
      ["S1", "Voilà, it’s “naïve” – 5 € at 20°C…"],
    ]);
  });
});

describe("refusals name the problem and the place", () => {
  const cases: [string, DialogueErrorCode, string][] = [
    ["", "dialogue_empty", "empty"],
    ["  \n ", "dialogue_empty", "empty"],
    [
      "[S1] Hi.\nBob: Hello.",
      "unknown_speaker",
      'line 2, column 1: unknown speaker "Bob"; the characters are Temo, Felfel',
    ],
    ["[S1] Bob: Hello.", "unknown_speaker", "column 6"],
    ["[Bob] Hello.", "unknown_speaker", "Bob"],
    ["Temo: Hi! Bob: Hello.", "unknown_speaker", 'column 11: unknown speaker "Bob"'],
    ["Both: Hello.", "unknown_speaker", "Both"],
    ["Temo and Felfel: Hello.", "unknown_speaker", "one to a line"],
    ["Temo, Felfel: Hello.", "unknown_speaker", "one to a line"],
    ["[S1: Bob] Hello.", "unknown_speaker", 'unknown speaker "Bob"'],
    ["[S3] Hello.", "unknown_speaker", "[S3] is bound to no character"],
    ["[S0] Hello.", "unknown_speaker", "[S0]"],
    ["[S1] [S2] Hello.", "empty_line", "column 1: [S1] has nothing to say"],
    ["[S1] Hi. [S2] Felfel:", "empty_line", "felfel has nothing to say"],
    ["[S1] ... [S2] Hello.", "empty_line", "nothing to say"],
    ["[S1]", "empty_line", "[S1]"],
    ["Temo: 😀", "empty_line", "temo"],
    ["[S1] Привет", "unsupported_characters", '"П" (U+041F)'],
    ["[S1] hi\u0007", "unsupported_characters", "U+0007"],
    [`a${" b".repeat(2500)}`, "dialogue_too_long", "at most 4000"],
    ["Hi.\n".repeat(257), "dialogue_too_long", "at most 256"],
    ["a".repeat(70_000), "dialogue_too_long", "at most 65536"],
  ];
  for (const [script, code, part] of cases) {
    test(`${code}: ${JSON.stringify(script.slice(0, 30))}`, () => {
      const error = refusal(script);
      expect(error.code).toBe(code);
      expect(error.message).toContain(part);
    });
  }
});

test("any text gives lines within the limits or a DialogueError", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(
      "[S1]",
      "[S2] ",
      "Temo:",
      "Felfel: ",
      "\n",
      "(laughs)",
      "[",
      "]",
      "(",
      "*",
      "**",
      " hello.",
      ":",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        for (const line of parse(pieces.join("")).lines) {
          expect(line.text).toMatch(/[\p{L}\p{N}]/u);
          expect(line.text).not.toMatch(/\[S\d\]|\n/);
          expect(["temo", "felfel", "captain-zed", "S1", "S2"]).toContain(line.speaker);
        }
      } catch (error) {
        if (!(error instanceof DialogueError)) throw error;
      }
    }),
    { numRuns: 400 },
  );
});

test("hostile scripts take linear time", () => {
  for (const unit of [
    "[",
    "(",
    "*",
    "Temo",
    "Temo (",
    "a b ",
    "[S1",
    ": ",
    "((((",
    "S1: ",
    "- ",
    "Temo says",
    "Temo and ",
    "1. ",
    "Temo\n",
    "Temo: a ",
    "<S1 ",
    "# a ",
    "--- ",
  ]) {
    try {
      parse(unit.repeat(Math.floor(60_000 / unit.length)));
    } catch (error) {
      if (!(error instanceof DialogueError)) throw error;
    }
  }
});
