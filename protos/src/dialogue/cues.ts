/** Non-verbal cues that Dia was trained on (nari-labs/dia README, "Non-verbals"). */
export const NON_VERBALS = [
  "laughs",
  "clears throat",
  "sighs",
  "gasps",
  "coughs",
  "singing",
  "sings",
  "mumbles",
  "beep",
  "groans",
  "sniffs",
  "claps",
  "screams",
  "inhales",
  "exhales",
  "applause",
  "burps",
  "humming",
  "sneezes",
  "chuckle",
  "whistles",
] as const;

const known = new Set<string>(NON_VERBALS);

/** Other wordings of the same cues. */
const ALIASES: Readonly<Record<string, string>> = {
  laugh: "laughs",
  laughing: "laughs",
  laughter: "laughs",
  giggle: "laughs",
  giggles: "laughs",
  giggling: "laughs",
  chuckles: "chuckle",
  chuckling: "chuckle",
  sigh: "sighs",
  sighing: "sighs",
  gasp: "gasps",
  gasping: "gasps",
  cough: "coughs",
  coughing: "coughs",
  groan: "groans",
  groaning: "groans",
  sniff: "sniffs",
  scream: "screams",
  screaming: "screams",
  clap: "claps",
  clapping: "claps",
  hums: "humming",
  whistle: "whistles",
  whistling: "whistles",
  sneeze: "sneezes",
  burp: "burps",
  inhale: "inhales",
  exhale: "exhales",
  mumble: "mumbles",
  mumbling: "mumbles",
  beeps: "beep",
};

/** Directions that people write and no voice model can follow: left out, with a warning. */
const DIRECTIONS = new Set([
  "whispers",
  "whispering",
  "whisper",
  "shouts",
  "shouting",
  "shout",
  "yells",
  "yelling",
  "pause",
  "pauses",
  "beat",
  "smiles",
  "smiling",
  "grins",
  "nods",
  "winks",
  "waves",
  "excited",
  "excitedly",
  "happy",
  "happily",
  "sad",
  "sadly",
  "angry",
  "angrily",
  "surprised",
  "scared",
  "quietly",
  "loudly",
  "softly",
  "crying",
  "cries",
  "sobs",
  "sobbing",
]);

export interface Cue {
  /** The text to put in its place: a cue of Dia's list in round brackets, or nothing. */
  readonly replacement: string;
  /** The cue is not what the user wrote and the difference is worth a warning. */
  readonly dropped: boolean;
}

/** What the text between brackets or asterisks stands for; null where it is ordinary words. */
export function readCue(inner: string): Cue | null {
  const word = inner.trim().toLowerCase().replace(/\s+/g, " ");
  const name = ALIASES[word] ?? word;
  if (known.has(name)) return { replacement: `(${name})`, dropped: false };
  if (DIRECTIONS.has(word)) return { replacement: "", dropped: true };
  return null;
}
