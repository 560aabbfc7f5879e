import { z } from "zod";

/** Letters of an image that comes inside the request itself: about 220 kB of JPEG. */
const MAX_INLINE = 300_000;
const INLINE = /^data:image\/(?:png|jpeg|webp);base64,([A-Za-z0-9+/]+={0,2})$/;

/** The image that a clip starts from. */
export const StartImage = z.strictObject({
  url: z.union(
    [z.url({ protocol: /^https?$/ }).max(2048), z.string().max(MAX_INLINE).regex(INLINE)],
    `an http or https URL of at most 2048 letters, or data:image/png, jpeg or webp in base64 of at most ${MAX_INLINE}`,
  ),
  /** How much of it is redrawn. */
  strength: z.number().min(0.05).max(1).default(0.7),
});
export type StartImage = z.infer<typeof StartImage>;

/** The bytes of an image that is part of the request; undefined for one that has to be fetched. */
export function inlineImage(url: string): Uint8Array | undefined {
  const data = INLINE.exec(url)?.[1];
  return data === undefined ? undefined : new Uint8Array(Buffer.from(data, "base64"));
}
