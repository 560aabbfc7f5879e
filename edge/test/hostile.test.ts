import { afterAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { problemResponse } from "../src/errors/problem.ts";
import { createRouter } from "../src/hono.ts";
import { bodyLimit } from "../src/middleware/body-limit.ts";
import { sleep, startHarness } from "./harness.ts";

const h = await startHarness();
// Nothing is to be rendered here.
h.node.setHealth("NODE_HEALTH_DRAINING");
afterAll(() => h.stop());

const MIB = 1024 * 1024;
const healthy = async () => expect((await h.call("GET", "/livez")).status).toBe(200);

describe("slow clients", () => {
  const app = createRouter();
  app.onError((error, c) => problemResponse(c, error));
  app.use(bodyLimit({ maxBytes: 1_000, timeoutMs: 150 }));
  app.post("/", async (c) => c.text(await c.req.text()));
  /** Sends a byte now and then, and never ends. */
  const drip = () => {
    let timer: ReturnType<typeof setInterval>;
    return new ReadableStream<Uint8Array>({
      start(controller) {
        timer = setInterval(() => controller.enqueue(Uint8Array.of(0x20)), 20);
      },
      cancel: () => clearInterval(timer),
    });
  };

  test.each([
    ["of unknown length", {}],
    ["that say how much they send", { "content-length": "900" }],
  ])("bodies %s that never end are given up", async (_, headers) => {
    const init = { method: "POST", headers, body: drip(), duplex: "half" };
    const answer = await app.fetch(new Request("http://x/", init as RequestInit));
    expect([answer.status, (await answer.json()).code]).toEqual([408, "request_timeout"]);
  });

  test("headers that never end hold up nobody else", async () => {
    const { hostname, port } = new URL(h.url);
    const sockets: Socket[] = [];
    for (let i = 0; i < 100; i++) {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => {});
      socket.write("POST /v1/renders HTTP/1.1\r\nhost: x\r\nx-slow: ");
      sockets.push(socket);
    }
    await sleep(100);
    for (const socket of sockets) socket.write("a");
    await healthy();
    expect((await h.call("POST", "/v1/renders", { prompt: "temo" })).status).toBe(202);
    for (const socket of sockets) socket.destroy();
  });
});

describe("bombs", () => {
  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(`${h.url}/v1/renders`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });

  test.each([
    ["a megabyte of brackets", "[".repeat(MIB - 10), 400],
    ["objects in objects", '{"a":'.repeat(100_000), 400],
    ["a list of a quarter of a million", `{"prompt":[${"0,".repeat(250_000)}0]}`, 400],
    ["forty thousand fields", `{${Array.from({ length: 40_000 }, (_, i) => `"k${i}":1`).join()}}`, 422],
    ["a prompt of a megabyte", JSON.stringify({ prompt: "x".repeat(MIB - 100) }), 422],
    ["more than a megabyte", JSON.stringify({ prompt: "x".repeat(2 * MIB) }), 413],
  ])("%s", async (_, body, status) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect((await answer.text()).length).toBeLessThan(20_000);
    await healthy();
  });

  test("what is packed is not unpacked", async () => {
    for (const encoding of ["gzip", "deflate", "br", "zstd", "gzip, gzip"]) {
      const packed = new Uint8Array(gzipSync(Buffer.alloc(64 * MIB)));
      const answer = await post(packed, { "content-encoding": encoding });
      expect([encoding, answer.status]).toEqual([encoding, 415]);
    }
  });

  // Each is small, and says that it is large or holds much.
  const zip = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), gzipSync(Buffer.alloc(8 * MIB))]);
  const gif = Buffer.concat([
    Buffer.from("GIF89a", "latin1"),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0xf7, 0, 0]),
    Buffer.alloc(64, 0x21),
  ]);
  const wav = Buffer.alloc(44);
  wav.write("RIFF", 0, "latin1");
  wav.writeUInt32LE(0xffff_ffff, 4);
  wav.write("WAVEfmt ", 8, "latin1");
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(8_000, 24);
  wav.writeUInt16LE(8, 34);
  wav.write("data", 36, "latin1");
  wav.writeUInt32LE(0xfff0_0000, 40);
  const header = Buffer.alloc(8 + 4 * MIB, "[");
  header.writeBigUInt64LE(BigInt(4 * MIB));

  test.each([
    ["a ZIP", zip],
    ["a GIF of 65,535 x 65,535", gif],
    ["a gzip of 64 MB", gzipSync(Buffer.alloc(64 * MIB))],
    ["a WAV of 4 GB in 44 bytes", wav],
    ["a LoRA header of brackets", header],
    ["nothing", Buffer.alloc(0)],
  ])("%s is neither a voice nor a LoRA", async (_, bytes) => {
    const file = () => new File([new Uint8Array(bytes)], "x.wav");
    const send = (path: string, parts: Record<string, string | File>) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(parts)) form.append(name, value);
      return fetch(h.url + path, { method: "POST", body: form });
    };
    for (const answer of [
      await send("/gradio_api/upload", { files: file() }),
      await send("/v1/characters", { name: "bad", voice: file(), transcript: "Hi." }),
      await send("/v1/characters", { name: "bad", lora: file() }),
    ]) {
      expect(answer.status).toBe(422);
      expect((await answer.text()).length).toBeLessThan(2_000);
    }
    await healthy();
  });
});

describe("text", () => {
  const submit = (prompt: string) => h.call("POST", "/v1/renders", { clip: { prompt } });

  test.each([
    ["NUL", "temo\u0000waves"],
    ["escape sequences", "temo \u001b[31mwaves"],
    ["a backspace", "temo\u0008"],
    ["DEL", "temo\u007f"],
  ])("control characters are refused by their field: %s", async (_, prompt) => {
    const { status, body } = await submit(prompt);
    expect([status, body.errors[0].pointer]).toEqual([422, "#/clip/prompt"]);
  });

  test.each([
    ["line breaks and tabs", "temo\n\twaves"],
    ["right to left", "تيمو يلوح \u202etfel ot thgir\u202c"],
    ["emoji of several code points", "temo 👩‍👩‍👧‍👦 🇪🇪"],
    ["a hundred accents on one letter", `temo z${"\u0301".repeat(100)}`],
    ["markup", "<script>alert(1)</script> temo {{7*7}} #{x} '; drop table jobs; --"],
  ])("everything else is taken as it is: %s", async (_, prompt) => {
    const { status, body } = await submit(prompt);
    expect([status, body.spec.clip.prompt]).toEqual([202, prompt]);
    expect((await h.call("GET", `/v1/renders/${body.id}`)).body.spec.clip.prompt).toBe(prompt);
  });

  test("half a surrogate pair harms nobody", async () => {
    const { status } = await h.call("POST", "/v1/renders", '{"clip":{"prompt":"temo \\ud800 waves"}}');
    expect([202, 422]).toContain(status);
    await healthy();
  });
});
