import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { limitRunners } from "./testing/limited-runners.ts";
import { clip, last, run, runRequest, speech, startTestNode, type TestNode } from "./testing/test-node.ts";
import { asSdxlBesideSd15 } from "./testing/two-packs.ts";

setDefaultTimeout(60_000);

let node: TestNode | undefined;
let unlimited = () => {};
afterEach(async () => {
  await node?.close();
  node = undefined;
  unlimited();
});

async function start(damage: (pack: string) => Promise<void> = async () => {}): Promise<TestNode> {
  node = await startTestNode({ CARTOON_PACK: "sdxl" }, async (pack) => {
    await asSdxlBesideSd15(pack);
    await damage(pack);
  });
  await node.ready();
  return node;
}

const large = { ...clip, width: 96, height: 96, num_frames: 16, num_inference_steps: 1 };
const draw = (node: TestNode, job_id: string, spec: object) =>
  run(node.client, runRequest(node.store, spec, { job_id }));

function told({ events }: Awaited<ReturnType<typeof draw>>) {
  return events.flatMap(({ warning }) =>
    warning ? [`${warning.field}: ${warning.given} → ${warning.used}`] : [],
  );
}

function manifest(node: TestNode, job: string) {
  return JSON.parse(new TextDecoder().decode(node.store.objects.get(`${job}/manifest.json`)));
}

// Only Linux can refuse memory to a running process.
if (process.platform === "linux")
  test("out of memory: every rung of the ladder is told, sd15 draws in the end, and the node goes on", async () => {
    unlimited = await limitRunners({ CARTOON_TEST_SESSION_BYTES: "40000000" });
    const node = await start();
    for (const job of ["first", "second"]) {
      const outcome = await draw(node, job, { clip: large, speech });
      expect(last(outcome)?.failed?.message ?? "").toBe("");
      const rungs = told(outcome).filter((text) => /^(memory|context|width|pack)/.test(text));
      expect(rungs).toEqual([
        "memory: guidance in one pass → guidance in two passes",
        "context.window: 16 → 8",
        "width,height: 96x96 → 72x72",
        "context.window: 16 → 8",
        "width,height: 72x72 → 48x48",
        "context.window: 16 → 8",
        "pack: sdxl → sd15",
      ]);
      expect(manifest(node, job).used).toMatchObject({
        pack: { name: "sd15" },
        mode: { deterministic: true },
      });
    }
    expect(node.node.pool.status().health).toBe("NODE_HEALTH_READY");
    const small = await draw(node, "small", { pack: "sd15", clip: { ...clip, num_inference_steps: 1 } });
    expect(last(small)?.event).toBe("succeeded");
  });

test.each([
  [
    "is cut short",
    (pack: string) => writeFile(join(pack, "motion_adapter/diffusion_pytorch_model.safetensors"), ""),
  ],
  ["is of another model", (pack: string) => writeFile(join(pack, "motion_adapter/config.json"), "{}")],
  ["is missing", (pack: string) => rm(join(pack, "motion_adapter"), { recursive: true })],
])("a motion adapter that %s: sd15 draws instead, and the result says so", async (_, damage) => {
  const node = await start(damage);
  const outcome = await draw(node, "job", { clip: { ...clip, num_inference_steps: 1 } });
  expect(last(outcome)?.event).toBe("succeeded");
  expect(told(outcome)).toContain("pack: sdxl → sd15");
  const { used, pack, warnings } = manifest(node, "job");
  expect(used.pack?.name ?? pack.name).toBe("sd15");
  expect(warnings).toContainEqual(expect.objectContaining({ field: "pack", given: "sdxl", used: "sd15" }));
  expect(last(await draw(node, "again", { clip: { ...clip, num_inference_steps: 1 } }))?.event).toBe(
    "succeeded",
  );
});
