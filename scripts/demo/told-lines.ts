import { readFile } from "node:fs/promises";
import { z } from "zod";

const Manifest = z.object({
  used: z.object({ lines: z.array(z.object({ text: z.string() })) }),
  mouth: z.object({
    lines: z.array(
      z.object({
        character: z.string().nullable(),
        speaker: z.string(),
        start: z.number(),
        end: z.number(),
        levels: z.array(z.number()),
      }),
    ),
  }),
});

const LEVELS = "▁▂▃▄▅▆▇█";

/** Who says what when, and how wide the mouth is in each frame, from a render's manifest. */
export async function toldLines(manifest: string): Promise<string[]> {
  const { used, mouth } = Manifest.parse(JSON.parse(await readFile(manifest, "utf8")));
  return mouth.lines.map(({ character, speaker, start, end, levels }, i) => {
    const bars = levels.map((level) => LEVELS[Math.min(7, Math.floor(level * 8))]).join("");
    const when = `${start.toFixed(2)} to ${end.toFixed(2)} s`;
    return `${when}  ${character ?? speaker}: ${used.lines[i]?.text ?? ""}  ${bars}`;
  });
}
