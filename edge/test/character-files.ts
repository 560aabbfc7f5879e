import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A safetensors file of float32 tensors, all of them `value`. */
export function safetensorsOf(shapes: Record<string, number[]>, value = 0.5): Uint8Array {
  let at = 0;
  const entries = Object.entries(shapes).map(([key, shape]) => {
    const from = at;
    at += 4 * shape.reduce((a, b) => a * b, 1);
    return [key, { dtype: "F32", shape, data_offsets: [from, at] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, new Uint8Array(new Float32Array(at / 4).fill(value).buffer)]);
}

/** A small LoRA in PEFT's names. */
export const loraFile = (value?: number) =>
  safetensorsOf({ "unet.x.to_q.lora_A.weight": [4, 8], "unet.x.to_q.lora_B.weight": [8, 4] }, value);

/** 16-bit mono sound of some seconds. */
export function wavFile(seconds: number, rate = 8000): Uint8Array {
  const bytes = Math.round(seconds * rate) * 2;
  const out = Buffer.alloc(44 + bytes);
  out.write("RIFF", 0, "latin1");
  out.writeUInt32LE(36 + bytes, 4);
  out.write("WAVEfmt ", 8, "latin1");
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(1, 20);
  out.writeUInt16LE(1, 22);
  out.writeUInt32LE(rate, 24);
  out.writeUInt32LE(rate * 2, 28);
  out.writeUInt16LE(2, 32);
  out.writeUInt16LE(16, 34);
  out.write("data", 36, "latin1");
  out.writeUInt32LE(bytes, 40);
  for (let i = 44; i < out.length; i += 2) out.writeInt16LE(Math.round(6000 * Math.sin(i / 9)), i);
  return out;
}

export interface FileServer {
  origin: string;
  /** `host:port`, for the operator's list of private hosts. */
  host: string;
  files: Map<string, Uint8Array>;
  /** How often each was asked for. */
  asked: string[];
  close: () => void;
}

/** A web server on loopback that hands out the files it is given. */
export async function serveFiles(files: Record<string, Uint8Array>): Promise<FileServer> {
  const known = new Map(Object.entries(files));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    asked.push(path);
    const found = known.get(path);
    if (found) response.writeHead(200, { "content-type": "application/octet-stream" }).end(found);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `http://${host}`, host, files: known, asked, close };
}
