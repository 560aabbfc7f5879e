/** One spoken line. */
export interface Caption {
  speaker: string;
  text: string;
  /** Seconds from the start of the clip. */
  start: number;
  end: number;
}

function timestamp(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const part = (value: number, digits: number) => String(value).padStart(digits, "0");
  const h = Math.floor(ms / 3_600_000);
  return `${part(h, 2)}:${part(Math.floor(ms / 60_000) % 60, 2)}:${part(Math.floor(ms / 1000) % 60, 2)}.${part(ms % 1000, 3)}`;
}

const CUE = /^(\d+:\d\d:\d\d\.\d{3}) --> (\d+:\d\d:\d\d\.\d{3})\n<v ([^>]*)>(.*)<\/v>$/gm;

const secondsOf = (time = ""): number =>
  time.split(":").reduce((seconds, part) => seconds * 60 + Number(part), 0);

/** The lines of a WebVTT file that `toWebVtt` has written. */
export function fromWebVtt(vtt: string): Caption[] {
  return [...vtt.matchAll(CUE)].map(([, start, end, speaker = "", text = ""]) => ({
    speaker: unescapeCue(speaker),
    text: unescapeCue(text),
    start: secondsOf(start),
    end: secondsOf(end),
  }));
}

const unescapeCue = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

// A cue ends at an empty line; & < > are markup, and "-->" would be read as a timing.
function escapeCue(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/\s*\n\s*/g, " ")
    .trim();
}

/** WebVTT with the speaker of every line as a voice span. Lines outside the result are dropped, longer ones cut. */
export function toWebVtt(captions: Caption[], seconds: number): string {
  const cues = visible(captions, seconds).map(
    (line, i) =>
      `${i + 1}\n${timestamp(line.start)} --> ${timestamp(line.end)}\n<v ${escapeCue(line.speaker)}>${escapeCue(line.text)}</v>\n`,
  );
  return ["WEBVTT\n", ...cues].join("\n");
}

/** SubRip for the text track inside the MP4, where a voice span has no meaning: `Temo: Hello`. */
export function toSubRip(captions: Caption[], seconds: number): string {
  return visible(captions, seconds)
    .map((line, i) => {
      const times = `${timestamp(line.start)} --> ${timestamp(line.end)}`.replaceAll(".", ",");
      return `${i + 1}\n${times}\n${line.speaker}: ${line.text.replace(/\s*\n\s*/g, " ").trim()}\n`;
    })
    .join("\n");
}

function visible(captions: Caption[], seconds: number): Caption[] {
  return captions
    .map((line) => ({ ...line, end: Math.min(line.end, seconds) }))
    .filter((line) => line.end > line.start);
}
