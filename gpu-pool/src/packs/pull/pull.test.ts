import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadPack } from "../pack.ts";
import { PACK_SOURCES, type PackSource, pullPack } from "./index.ts";
import { planComponent } from "./plan.ts";

setDefaultTimeout(60_000);

const COMMIT = "a".repeat(40);
const content = (name: string): Buffer => createHash("sha512").update(name).digest();
const sha = (kind: "sha1" | "sha256", bytes: Buffer) => createHash(kind).update(bytes).digest("hex");
const big = Buffer.alloc(300_000, 7);

/** The two answers of the hub that a pull asks for, over real HTTP. */
const files: Record<string, Buffer> = {
  "config.json": Buffer.from("{}"),
  "generation_config.json": content("generation"),
  "model-00001-of-00002.safetensors": big,
  "model-00002-of-00002.safetensors": content("two"),
  "dac/config.json": content("dac"),
  "dac/model.safetensors": content("full"),
  "dac/model.fp16.safetensors": content("half"),
};
let requests: { path: string; range: string | null }[] = [];
let cutAfter = Number.POSITIVE_INFINITY;
let spoil = "";

const hub = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const path = decodeURIComponent(new URL(request.url).pathname);
    const range = request.headers.get("range");
    requests.push({ path, range });
    if (path === "/api/models/maker/voice/revision/main") {
      return Response.json({
        id: "maker/voice",
        _id: "1",
        private: false,
        gated: false,
        likes: 0,
        lastModified: new Date(),
        downloads: 0,
        sha: COMMIT,
      });
    }
    if (path.startsWith(`/api/models/maker/voice/tree/${COMMIT}`))
      return Response.json(Object.entries(files).map(entry));
    const name = path.slice(`/maker/voice/resolve/${COMMIT}/`.length);
    const bytes = files[name];
    if (!bytes) return new Response("", { status: 404 });
    const sent = name === spoil ? Buffer.alloc(bytes.length, 1) : bytes;
    const from = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const body = sent.subarray(from, Math.min(sent.length, from + cutAfter));
    return new Response(new Uint8Array(body), { status: range ? 206 : 200 });
  },
});

function entry([path, bytes]: [string, Buffer]) {
  const blob = sha("sha1", Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]));
  const lfs = { oid: sha("sha256", bytes), size: bytes.length, pointerSize: 130 };
  return {
    type: "file",
    path,
    size: bytes.length,
    oid: blob,
    ...(path.endsWith(".safetensors") ? { lfs } : {}),
  };
}

const sdxl = PACK_SOURCES.sdxl as PackSource;
const source: PackSource = {
  manifest: { ...sdxl.manifest, name: "small", picture: undefined },
  components: [
    {
      component: "dia",
      repo: "maker/voice",
      revision: "main",
      files: [{ from: ["config.json"], to: "config.json" }],
      all: /^model[^/]*\.safetensors$/,
    },
    {
      component: "dac",
      repo: "maker/voice",
      revision: "main",
      files: [{ from: ["dac/model.fp16.safetensors", "dac/model.safetensors"], to: "model.safetensors" }],
    },
  ],
};

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "cartoon-pull-"));
});
beforeEach(async () => {
  requests = [];
  cutAfter = Number.POSITIVE_INFINITY;
  spoil = "";
  await rm(join(root, "small"), { recursive: true, force: true });
});
afterAll(async () => {
  await hub.stop(true);
  await rm(root, { recursive: true, force: true });
});
const options = () => ({ root, hub: { url: hub.url.origin } });

test("a pack comes whole, with hashes and the commits of its sources", async () => {
  const seen: number[] = [];
  const pack = await pullPack(source, { ...options(), onProgress: ({ bytes }) => seen.push(bytes) });
  const codec = await readFile(join(pack.folder, "dac/model.safetensors"));
  expect(codec.equals(content("half"))).toBe(true);
  expect(Object.keys(pack.manifest.files).sort()).toEqual([
    "dac/model.safetensors",
    "dia/config.json",
    "dia/model-00001-of-00002.safetensors",
    "dia/model-00002-of-00002.safetensors",
  ]);
  const written = JSON.parse(await readFile(join(pack.folder, "pack.json"), "utf8"));
  expect(written.sources).toEqual({ "maker/voice": COMMIT });
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  await loadPack(pack.folder, { verify: true });
});

test("what was cut off goes on where it stopped", async () => {
  cutAfter = 100_000;
  await pullPack(source, options());
  const asked = requests
    .filter(({ path }) => path.endsWith("00001-of-00002.safetensors"))
    .map(({ range }) => range);
  expect(asked).toEqual([null, "bytes=100000-", "bytes=200000-"]);
});

test("what is there already is not fetched again", async () => {
  await pullPack(source, options());
  requests = [];
  await pullPack(source, options());
  expect(requests.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
});

test("content that is not what the hub announced never becomes a pack", async () => {
  spoil = "model-00002-of-00002.safetensors";
  await expect(pullPack(source, options())).rejects.toThrow("its SHA-256 is another one");
  await expect(stat(join(root, "small/pack.json"))).rejects.toThrow();
});

test("a file that was changed on this machine is fetched anew", async () => {
  await pullPack(source, options());
  await writeFile(join(root, "small/dia/model-00001-of-00002.safetensors"), Buffer.alloc(big.length, 8));
  const pack = await pullPack(source, options());
  await loadPack(pack.folder, { verify: true });
});

test("every source is pinned to a commit", () => {
  for (const { components } of Object.values(PACK_SOURCES))
    for (const { repo, revision } of components)
      expect([repo, revision]).toEqual([repo, expect.stringMatching(/^[0-9a-f]{40}$/)]);
});

test.each(["a folder of repositories", "a Hugging Face cache"])(
  "without a network, from %s",
  async (kind) => {
    const folder = join(root, kind);
    const revision = kind.includes("cache") ? COMMIT : "main";
    const home = kind.includes("cache") ? `models--maker--voice/snapshots/${COMMIT}` : "maker/voice";
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(folder, home, name);
      await mkdir(dirname(path), { recursive: true });
      if (kind.includes("cache")) {
        const blob = join(folder, `blob-${sha("sha1", bytes)}`);
        await writeFile(blob, bytes);
        await symlink(blob, path);
      } else await writeFile(path, bytes);
    }
    const components = source.components.map((component) => ({ ...component, revision }));
    const hub = { url: pathToFileURL(folder).href };
    const pack = await pullPack({ ...source, components }, { root, hub });
    await loadPack(pack.folder, { verify: true });
    expect((await lstat(join(pack.folder, "dac/model.safetensors"))).isSymbolicLink()).toBe(false);
    expect(requests).toEqual([]);
    const elsewhere = { url: pathToFileURL(join(root, "nothing")).href };
    await expect(pullPack(source, { root, hub: elsewhere })).rejects.toThrow("maker/voice: neither");
  },
);

test("a repository without a wanted file is named with it", () => {
  const [unet] = sdxl.components;
  if (!unet) throw new Error("no components");
  expect(() => planComponent(unet, COMMIT, [])).toThrow(
    "stabilityai/stable-diffusion-xl-base-1.0 at aaaaaaaaaaaa has no unet/config.json",
  );
});
