/** The ways in which people mark speakers, as sticky patterns. */

const WORD = "\\p{L}[\\p{L}\\p{M}\\p{N}_'’-]{0,40}";
/** Words after the first may be numbers: `Robot 9`. */
const MORE = "[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N}_'’-]{0,40}";
const VERB = "says|said|asks|asked|replies|replied|answers|answered|whispers|shouts";
const SPEAKER = "(?:s|speaker[ \\t]?)";

/** `[S1]`, also in other brackets, and with the name inside: `[S1: Temo]`. */
export const TAG = new RegExp(
  `[[(<{]\\s*${SPEAKER}\\s*(\\d{1,3})(?:\\s*[:–—-]?\\s*(${WORD}(?:[ \\t]${MORE}){0,3}))?\\s*[\\])>}](?:[ \\t]*[:：])?`,
  "iuy",
);
/** `S1:` and `Speaker 1:`. */
export const BARE_TAG = new RegExp(`${SPEAKER}(\\d{1,3})[ \\t]?[:：](?=\\s|\\p{L})`, "iuy");

export const BRACKETS = /\[([^[\]\n]{1,80})\](?:[ \t]*[:：])?/uy;
const PARENTHESES = /\(([^()\n]{1,80})\)/uy;
const ASTERISKS = /\*([^*\n]{1,80})\*/uy;
export const ASIDES: Readonly<Record<string, RegExp>> = { "[": BRACKETS, "(": PARENTHESES, "*": ASTERISKS };

/** `Temo: hello`, `**Temo (whispers):** hello`, `"Captain Zed" says: hello`. */
export const NAME = new RegExp(
  `[*_"“]{0,3}(${WORD}(?:[ \\t](?!(?:${VERB}|[sS]\\d{1,3})[ \\t]{0,4}[:：])${MORE}){0,3})["”]?` +
    `(?:[ \\t](?:${VERB}))?[ \\t]{0,4}(?:\\([^()\\n]{0,60}\\))?[ \\t]{0,4}[*_"”]{0,3}[:：][*_]{0,2}` +
    `(?=[\\s"“'(*[]|\\p{L}|$)`,
  "uy",
);
/** `Temo - hello`, `(Temo) hello`, `<Temo> hello`: only a registered name counts in these forms. */
export const DASHED = new RegExp(
  `[({<]?(${WORD}(?:[ \\t]${MORE}){0,3})(?:[)}>][ \\t]|[ \\t]{1,4}[–—-]{1,2}[ \\t])`,
  "uy",
);
/** A registered name alone in its line, as in a screenplay, with something to say below. */
export const ALONE = new RegExp(
  `[*_]{0,2}(${WORD}(?:[ \\t]${MORE}){0,3})[*_]{0,2}[ \\t]{0,4}(?=\\n\\s*[^\\s])`,
  "uy",
);
/** Two names for one line. */
export const JOINT = new RegExp(
  `(${WORD})[ \\t]{0,4}(?:&|\\band\\b|\\+|,|/)[ \\t]{0,4}(${WORD})[ \\t]{0,4}[:：]`,
  "uy",
);

export const BULLET = /[-–—•][ \t]+/uy;
/** `1. Temo: hello`: a number before a mark. */
export const NUMBERING = /\d{1,3}[.)][ \t]+/uy;
/** A line that only separates: `---`, `***`. */
export const RULE = /[-–—=_*~#]{3,80}[ \t]*(?=\n|$)/uy;
/** `# Scene 1`, `INT. CAVE - DAY`. */
export const HEADING = /(?:#{1,6}[ \t]+|(?:INT|EXT|INT\.?\/EXT)\.[ \t])[^\n]{1,200}/uy;

/** Before a name and a colon, these words make it a part of the sentence: `I told Felfel: run!` */
export const REPORTING = new Set(
  (
    "told tell tells telling ask asks asked asking say says said to for with of and or about like call calls called " +
    "named meet from by remember see hear is was dear the"
  ).split(" "),
);

/** Words that stand before a colon in ordinary speech. */
export const NOT_NAMES = new Set(
  (
    "note notice warning caution danger attention alert remember listen look wait stop hint tip fact rule idea plan " +
    "question answer problem solution result reason example conclusion summary breaking news update subject " +
    "time date place location score status re ps fyi url website email phone address price total mission " +
    "step chapter part level day log option choice goal fun but so and or because then now today tonight " +
    "well yes no okay ok right wrong ready first second third fourth next last finally also plus this that these " +
    "those here there what who why how when where is it me you us them one two three four five six seven eight nine ten"
  ).split(" "),
);
