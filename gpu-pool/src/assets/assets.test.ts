import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AssetCache, fileDigest } from "./cache.ts";
import { AssetFetcher } from "./fetch.ts";

const never = new AbortController().signal;
const hash = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon-assets-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(cache: AssetCache, text: string): Promise<string> {
  const incoming = await cache.receive();
  await incoming.write(new TextEncoder().encode(text));
  const sha256 = incoming.digest();
  await incoming.keep(sha256);
  return sha256;
}

describe("the cache", () => {
  test("gives files by their content's hash, under names of the user's own", async () => {
    const cache = new AssetCache(join(folder, "cache"), 1000);
    const sha256 = await put(cache, "hello");
    expect(sha256).toBe(hash("hello"));
    expect(await cache.link(sha256, join(folder, "mine"))).toBe(true);
    expect(await fileDigest(join(folder, "mine"))).toBe(sha256);
    expect(await cache.link(hash("other"), join(folder, "theirs"))).toBe(false);
    await expect(cache.link("../../etc/passwd", join(folder, "x"))).rejects.toThrow("not a SHA-256");
    const lost = await cache.receive();
    await lost.discard();
    expect(await readdir(join(folder, "cache"))).toEqual([sha256]);
  });

  test("the least recently used go first, never the newest, and nobody's file is taken from under them", async () => {
    const cache = new AssetCache(join(folder, "cache"), 10);
    const [a, b] = [await put(cache, "aaaa"), await put(cache, "bbbb")];
    const past = (name: string, seconds: number) => {
      const when = new Date(Date.now() - seconds * 1000);
      return utimes(join(folder, "cache", name), when, when);
    };
    await past(a, 60);
    await past(b, 30);
    await cache.link(a, join(folder, "mine"));
    const c = await put(cache, "cccc");
    expect((await readdir(join(folder, "cache"))).sort()).toEqual([a, c].sort());
    const big = await put(cache, "0123456789abcdef");
    expect(await readdir(join(folder, "cache"))).toEqual([big]);
    expect(await readFile(join(folder, "mine"), "utf8")).toBe("aaaa");
  });
});

describe("fetching", () => {
  let server: ReturnType<typeof Bun.serve>;
  let content = "one";
  const asked: string[] = [];
  beforeAll(() => {
    server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        asked.push(new URL(request.url).pathname + (request.headers.get("if-none-match") ?? ""));
        if (request.url.endsWith("/gone")) return new Response("", { status: 410 });
        const etag = `"${content}"`;
        if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304 });
        return new Response(content, { headers: { etag } });
      },
    });
  });
  afterAll(() => server.stop(true));
  beforeEach(() => {
    content = "one";
    asked.length = 0;
  });

  const url = () => `http://127.0.0.1:${server.port}/lora`;
  const fetcher = (more: { allowHosts?: string[]; maxBytes?: number } = {}) => {
    const cache = new AssetCache(join(folder, "cache"), 1000);
    return new AssetFetcher({
      ...{ cache, folder: join(folder, "cache"), maxBytes: 100, allowHosts: [`127.0.0.1:${server.port}`] },
      ...more,
    });
  };
  let serial = 0;
  const target = () => join(folder, `file-${serial++}`);

  test("by URL: asked again each time, downloaded again only when it has changed", async () => {
    const one = fetcher();
    const path = target();
    expect(await one.byUrl(url(), "", path, never)).toBe(hash("one"));
    expect(await readFile(path, "utf8")).toBe("one");
    expect(await one.byUrl(url(), "", target(), never)).toBe(hash("one"));
    expect(asked).toEqual(["/lora", '/lora"one"']);
    content = "two";
    expect(await one.byUrl(url(), "", target(), never)).toBe(hash("two"));
    expect((await readdir(join(folder, "cache"))).filter((name) => name.length === 64).sort()).toEqual(
      [hash("one"), hash("two")].sort(),
    );
  });

  test("with a hash: from the cache where this URL has given it, and nothing else will do", async () => {
    const one = fetcher();
    await one.byUrl(url(), hash("one"), target(), never);
    await one.byUrl(url(), hash("one"), target(), never);
    expect(asked).toEqual(["/lora"]);
    // A hash is no password: whoever knows it still has to name a URL that gives the file.
    await expect(one.byUrl(`${url()}/gone`, hash("one"), target(), never)).rejects.toThrow("answered 410");
    content = "two";
    await expect(one.byUrl(url(), hash("three"), target(), never)).rejects.toThrow(
      `its SHA-256 is ${hash("two")}, not ${hash("three")}`,
    );
  });

  test("through the guard: no private hosts, no bombs, and nothing is left behind", async () => {
    await expect(fetcher({ allowHosts: [] }).byUrl(url(), "", target(), never)).rejects.toThrow(
      "not on the public internet",
    );
    await expect(fetcher({ maxBytes: 2 }).byUrl(url(), "", target(), never)).rejects.toThrow("larger than 2");
    expect(await readdir(join(folder, "cache"))).toEqual([]);
  });

  test("of the store: once, checked by its hash; one that is gone is said to be", async () => {
    const one = fetcher({ allowHosts: [] });
    const allow = [`127.0.0.1:${server.port}`];
    const source = { sha256: hash("one"), url: url(), bytes: 3 };
    await one.registered(source, target(), allow, never);
    const again = target();
    await one.registered({ ...source, url: undefined }, again, [], never);
    expect((await stat(again)).size).toBe(3);
    expect(asked).toEqual(["/lora"]);
    const wrong = one.registered({ ...source, sha256: hash("two") }, target(), allow, never);
    await expect(wrong).rejects.toMatchObject({ name: "AssetError" });
    await expect(
      one.registered({ sha256: hash("x"), url: undefined, bytes: 1 }, target(), [], never),
    ).rejects.toThrow("no longer there");
  });
});
