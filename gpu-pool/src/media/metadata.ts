/** What a clip's container says about it. */
export interface ClipMetadata {
  title: string;
  /** The manifest, of any length. */
  comment: string;
}

const chunk = (id: string, body: Uint8Array): Buffer => {
  const head = Buffer.alloc(8);
  head.write(id, 0, "latin1");
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
};

/**
 * A WAV file without sound that carries the metadata in its INFO list, for ffmpeg to copy from: its own metadata
 * format cuts values at 1,024 bytes in older versions, and arguments have limits that differ by system.
 */
export function metadataWav({ title, comment }: ClipMetadata): Buffer {
  const text = (id: string, value: string) =>
    chunk(id, Buffer.concat([Buffer.from(value.replaceAll("\0", "")), Buffer.alloc(1)]));
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0); // PCM
  format.writeUInt16LE(1, 2); // channels
  format.writeUInt32LE(8_000, 4);
  format.writeUInt32LE(16_000, 8);
  format.writeUInt16LE(2, 12);
  format.writeUInt16LE(16, 14);
  const info = Buffer.concat([Buffer.from("INFO"), text("INAM", title), text("ICMT", comment)]);
  const body = Buffer.concat([
    Buffer.from("WAVE"),
    chunk("fmt ", format),
    chunk("LIST", info),
    chunk("data", Buffer.alloc(2)),
  ]);
  return chunk("RIFF", body);
}
