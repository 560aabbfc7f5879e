import type { DiaConfig } from "../../graphs/dia-config.ts";

/**
 * The delay pattern of Dia (transformers 5.17, `models/dia/processing_dia.py`): channel c of a frame stands
 * `delay[c]` rows later than channel 0. Row 0 is the beginning-of-speech row, then come the prompt's codes.
 */

/** Codes by frame, then channel. */
export type Codes = readonly (readonly number[])[];

/**
 * Value that row `row` must hold in each channel, -1 where the model is free to choose.
 * @param prompt codes of the voice prompt, without the row of BOS
 */
export function forcedRow(config: DiaConfig, prompt: Codes, row: number): number[] {
  const decided = prompt.length + 1;
  return config.delays.map((delay, channel) => {
    const frame = row - delay;
    if (frame <= 0) return config.tokens.bos;
    return frame < decided ? (prompt[frame - 1]?.[channel] ?? config.tokens.bos) : -1;
  });
}

/** The rows that the prompt decides in full: BOS, then the delayed codes. */
export function promptRows(config: DiaConfig, prompt: Codes): number[][] {
  return Array.from({ length: prompt.length + 1 }, (_, row) => forcedRow(config, prompt, row));
}

/**
 * Codes of the rows `[first, end)` with the delay taken back; special tokens become code 0.
 * @param rows rows of tokens, `rows[0]` being row `first`
 * @returns one list per codebook, each `end - first` long
 */
export function undelay(config: DiaConfig, rows: Codes, first: number, end: number): number[][] {
  return config.delays.map((delay, channel) =>
    Array.from({ length: Math.max(0, end - first) }, (_, frame) => {
      const token = rows[frame + delay]?.[channel] ?? config.tokens.eos;
      return token >= 0 && token < config.tokens.eos ? token : 0;
    }),
  );
}
