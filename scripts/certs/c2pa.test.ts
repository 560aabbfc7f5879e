import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCredentials } from "@cartoon/gpu-pool/provenance/credentials";
import {
  clip,
  last,
  run,
  runRequest,
  speech,
  startTestNode,
  type TestNode,
} from "@cartoon/gpu-pool/supervisor/testing/test-node";
import { WasmReader } from "@contentauth/c2pa-wasm";
import { signingCertificates } from "./init.ts";

setDefaultTimeout(60_000);

const folder = await mkdtemp(join(tmpdir(), "cartoon c2pa-"));
const [root = "", certificate = "", key = ""] = await signingCertificates(folder, "Test Studio", 30);

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode({ CARTOON_C2PA_CERT: certificate, CARTOON_C2PA_KEY: key });
  await node.ready();
});
afterAll(async () => {
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

interface Manifests {
  active_manifest: string;
  validation_state: string;
  validation_status?: { code: string }[];
  manifests: Record<
    string,
    {
      assertions: { label: string; data: Record<string, unknown> }[];
      signature_info: { common_name: string };
    }
  >;
}

async function read(bytes: Uint8Array): Promise<Manifests> {
  const settings = JSON.stringify({ trust: { trust_anchors: await readFile(root, "utf8") } });
  const reader = await WasmReader.fromBytes("video/mp4", bytes, settings);
  return JSON.parse(reader.json());
}

async function render(id: string): Promise<Uint8Array> {
  const outcome = await run(node.client, runRequest(node.store, { clip, speech }, { job_id: id }));
  expect(last(outcome)?.event).toBe("succeeded");
  return node.store.objects.get(`${id}/clip.mp4`) ?? new Uint8Array();
}

test("a clip is signed with the operator's key, and says how it was made", async () => {
  const bytes = await render("signed");
  const { manifests, active_manifest, validation_state } = await read(bytes);
  expect(validation_state).toBe("Trusted");
  const active = manifests[active_manifest];
  expect(active?.signature_info.common_name).toBe("Test Studio");
  const byLabel = Object.fromEntries((active?.assertions ?? []).map(({ label, data }) => [label, data]));
  expect(byLabel["c2pa.actions.v2"]).toMatchObject({
    actions: [
      { action: "c2pa.created", digitalSourceType: expect.stringContaining("trainedAlgorithmicMedia") },
    ],
  });
  const manifest = JSON.parse(new TextDecoder().decode(node.store.objects.get("signed/manifest.json")));
  const { job_id, mouth, timings, runtime, ...provenance } = manifest;
  expect(byLabel["org.cartoon-animation-worker.render"]).toEqual(provenance);
  // The same text is in the container's own metadata.
  expect(Buffer.from(bytes).includes(Buffer.from(JSON.stringify(provenance)))).toBe(true);
});

test("one changed byte of the picture shows", async () => {
  const bytes = (await render("changed")).slice();
  const mdat = Buffer.from(bytes).lastIndexOf("mdat");
  bytes[mdat + 200] = (bytes[mdat + 200] ?? 0) ^ 1;
  const { validation_state, validation_status } = await read(bytes);
  expect(validation_state).toBe("Invalid");
  expect(validation_status?.map(({ code }) => code)).toContain("assertion.bmffHash.mismatch");
});

test("keys that do not fit stop the start", async () => {
  const [, other = ""] = await signingCertificates(join(folder, "other"), "Somebody Else", 30);
  expect(readCredentials(other, key)).rejects.toThrow(
    "CARTOON_C2PA_KEY: it is not the key of the first certificate",
  );
  expect(readCredentials(join(folder, "none.crt"), key)).rejects.toThrow("CARTOON_C2PA_CERT: ENOENT");
  const [, stale = "", staleKey = ""] = await signingCertificates(join(folder, "stale"), "Past", -0.5);
  expect(readCredentials(stale, staleKey)).rejects.toThrow("CARTOON_C2PA_CERT: valid from");
  expect(signingCertificates(folder, "Test Studio", 30)).rejects.toThrow("EEXIST");
});

// The official reader in another language and version; `.ci/run` installs it.
const python = process.env.CARTOON_TEST_PYTHON;
if (python === undefined) console.log("CARTOON_TEST_PYTHON is not set: c2pa-python does not read the clip");
else
  test("c2pa-python from PyPI reads and trusts it", async () => {
    const file = join(folder, "clip.mp4");
    await writeFile(file, await render("python"));
    const script = join(import.meta.dir, "../../edge/test/python/read_c2pa.py");
    const child = Bun.spawn([python, script, file, root], { stdout: "pipe", stderr: "pipe" });
    const [text, problems] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect(await child.exited, problems).toBe(0);
    expect(JSON.parse(text)).toMatchObject({
      state: "Trusted",
      signer: "Test Studio",
      action: "c2pa.created",
      generator: "cartoon-animation-worker",
      seed: 42,
    });
  });
