import { describe, expect, test } from "bun:test";
import sharp from "sharp";
import { decodeImage, ImageError } from "./decode-image.ts";

const solid = (channels: 3 | 4, background: string, width = 12, height = 8) =>
  sharp({ create: { width, height, channels, background } });

describe("a start image", () => {
  test("of every kind that is taken becomes RGB: grey, transparent, turned, too large", async () => {
    for (const [name, bytes] of Object.entries({
      png: await solid(3, "#204060").png().toBuffer(),
      jpeg: await solid(3, "#204060").jpeg({ quality: 100 }).toBuffer(),
      webp: await solid(3, "#204060").webp({ lossless: true }).toBuffer(),
    })) {
      const { data, width, height } = await decodeImage(bytes);
      expect([name, width, height, data.length]).toEqual([name, 12, 8, 12 * 8 * 3]);
      expect(Math.abs((data[2] ?? 0) - 0x60)).toBeLessThan(3);
    }
    const grey = await decodeImage(await solid(3, "#808080").toColourspace("b-w").png().toBuffer());
    expect([...grey.data.subarray(0, 3)]).toEqual([128, 128, 128]);
    const clear = await decodeImage(await solid(4, "#00000000").png().toBuffer());
    expect(new Set(clear.data)).toEqual(new Set([255]));
    const turned = await solid(3, "#fff").withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await decodeImage(turned)).toMatchObject({ width: 8, height: 12 });
    const large = await decodeImage(await solid(3, "#fff", 4096, 1024).png().toBuffer());
    expect([large.width, large.height]).toEqual([2048, 512]);
  });

  test("that is none, of another kind or far too large is refused in words", async () => {
    const gif = await solid(3, "#fff").gif().toBuffer();
    const huge = await solid(3, "#fff", 9000, 9000).png({ compressionLevel: 1 }).toBuffer();
    const cut = (await solid(3, "#204060", 200, 200).png().toBuffer()).subarray(0, 90);
    for (const bytes of [gif, huge, cut, new Uint8Array(0), new TextEncoder().encode("<svg/>")])
      expect(decodeImage(bytes)).rejects.toBeInstanceOf(ImageError);
  });
});
