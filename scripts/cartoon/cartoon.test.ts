import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSpeakingPack } from "@cartoon/gpu-pool/supervisor/testing/speaking-pack";
import { requestOf } from "./commands/render.ts";
import { main } from "./commands.ts";
import { commandTree } from "./completion.ts";
import { EXAMPLES } from "./examples.ts";
import { commandOf, resolve } from "./help.ts";

setDefaultTimeout(60_000);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cartoon launcher-"));
  await mkdir(join(folder, "packs"));
  await rename(await writeSpeakingPack(), join(folder, "packs/tiny"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function cartoon(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], {
    cwd: folder,
    env: {
      ...process.env,
      NO_COLOR: "1",
      CARTOON_DATA_DIR: join(folder, "data"),
      CARTOON_PACK_DIRS: join(folder, "packs"),
      CARTOON_PACK: "tiny",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

describe("words on the command line", () => {
  test("--help ends well, a missing or unknown command does not", async () => {
    const help = await cartoon("--help");
    expect(help.code).toBe(0);
    expect(help.out).toContain("web|api|worker|node|render");
    expect((await cartoon("render", "--help")).out).toContain("--say");
    expect((await cartoon()).code).toBe(2);
    const unknown = await cartoon("rendr");
    expect(unknown).toMatchObject({ code: 2, out: "" });
    expect(unknown.err).toContain('unknown command "rendr"; there are web,');
  });
  test("every command of the launcher is there, with examples of flags that it has", async () => {
    const nodes = await commandTree(main);
    const names = nodes[0]?.children.map(({ name }) => name) ?? [];
    const asked =
      "web api worker node render demo-gui models characters keys certs doctor runpod bench completion";
    expect(asked.split(" ").filter((name) => !names.includes(name))).toEqual([]);
    for (const { path } of nodes.slice(1)) {
      const { command } = await commandOf(main, path.split(" "));
      const help = (await resolve(command.meta))?.description ?? "";
      const examples = EXAMPLES[path] ?? [...help.matchAll(/cartoon .*$/g)].map(([text]) => text);
      expect(examples, `cartoon ${path} has no example`).not.toBeEmpty();
      for (const example of examples) {
        const [, ...words] = example.split(" ");
        const named = nodes.findLast(({ path: other }) => `${words.join(" ")} `.startsWith(`${other} `));
        expect(named?.path, example).toStartWith(path);
        if (path.startsWith("bench ")) continue; // their flags are their own
        const used: string[] = example.match(/(?<= )--?[a-z][a-z-]*/g) ?? [];
        expect(used, example).toEqual(used.filter((flag) => named?.flags.includes(flag)));
      }
    }
  });
  test("an unknown flag is refused, not passed over", async () => {
    const refused = await cartoon("models", "list", "--verbose");
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toContain('unknown flag "--verbose"');
  });
  test("a wrong environment ends with 78 and every problem", async () => {
    const wrong = await cartoon("web", "--host", "nowhere.example", "--port", "99999");
    expect(wrong).toMatchObject({ code: 78 });
    expect(wrong.err).toContain("PORT");
  });
  test("values of the wrong kind are refused with the flag's name", async () => {
    expect(requestOf({})).rejects.toThrow("give a prompt");
    expect(requestOf({ prompt: "x", size: "big" })).rejects.toThrow('--size takes WIDTHxHEIGHT, not "big"');
    expect(requestOf({ prompt: "x", seed: "abc" })).rejects.toThrow('--seed takes a number, not "abc"');
    expect((await cartoon("render", "x", "--steps", "many")).code).toBe(2);
  });
  test("flags become the request, and nothing else is sent", async () => {
    expect(await requestOf({ prompt: "on the moon" })).toEqual({ prompt: "on the moon" });
    const full = {
      prompt: "p",
      say: "[S1] Hi",
      character: "both",
      seed: "7",
      size: "512x256",
      frames: "16",
      fit: "loop",
    };
    expect(await requestOf(full)).toEqual({
      prompt: "p",
      dialogue: "[S1] Hi",
      characters: ["temo", "felfel"],
      seed: 7,
      clip: { num_frames: 16, width: 512, height: 256 },
      output: { fit: "loop" },
    });
  });
});

test("render writes an MP4 and all that goes with it; its manifest renders the same bytes", async () => {
  const first = await cartoon(
    "render",
    "temo waves",
    "--say",
    "[S1] Temo: Hello! [S2] Felfel: Hi!",
    "-o",
    "a.mp4",
    "--size",
    "96x64",
    "--all",
    "--seed",
    "5",
  );
  expect(first.err).toContain("100%");
  expect(first.code).toBe(0);
  for (const ending of ["mp4", "gif", "wav", "png", "vtt", "manifest.json"]) {
    expect(await Bun.file(join(folder, `a.${ending}`)).exists()).toBe(true);
  }
  const again = await cartoon("render", "--manifest", "a.manifest.json", "-o", "b.mp4");
  expect(again.code, again.err).toBe(0);
  expect((await readFile(join(folder, "b.mp4"))).equals(await readFile(join(folder, "a.mp4")))).toBe(true);
});

test("what the edge refuses is said in its own words", async () => {
  const refused = await cartoon("render", "x", "-c", "bob");
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('there is no character "bob"; known: temo, felfel');
});

test("keys are made, listed without their secret, and revoked", async () => {
  const token = (await cartoon("keys", "create", "--tenant", "acme", "--scopes", "read")).out.trim();
  expect(token).toMatch(/^ck_/);
  const { out } = await cartoon("keys", "list");
  expect(out).toContain("acme  read  expires -");
  expect(out).not.toContain(token);
  expect((await cartoon("keys", "revoke", out.split("  ")[0] ?? "")).code).toBe(0);
  expect((await cartoon("keys", "list")).out).toContain("revoked");
  expect((await cartoon("keys", "create", "--scopes", "everything")).code).toBe(2);
});

test("models and doctor look at what is there", async () => {
  expect((await cartoon("models", "list")).out).toContain("tiny 1.0.0");
  expect((await cartoon("models", "verify", "tiny")).code).toBe(0);
  expect((await cartoon("models", "verify", "huge")).err).toContain("there are tiny");
  const healthy = await cartoon("doctor");
  expect(healthy.out).toMatch(/ok {4}ffmpeg.*ok {4}models.*ok {4}database.*ok {4}store/s);
  expect(healthy.code).toBe(0);
  const nobody = await cartoon("doctor", "--node", "127.0.0.1:9");
  expect(nobody.code).toBe(1);
});
