import { afterAll, expect, test } from "bun:test";
import { sleep, startHarness } from "./harness.ts";
import { playThrough, ScriptedNode } from "./scripted-node.ts";

const script = playThrough({ steps: 2, stepMs: 1 });
const nodes = ["small", "large", "third"].map(
  (id, i) => new ScriptedNode(script, { id, permits: [1, 4, 2][i] ?? 1 }),
);
const addresses = await Promise.all(nodes.map((node) => node.start()));
const [small, large, third] = nodes as [ScriptedNode, ScriptedNode, ScriptedNode];
const h = await startHarness({ env: { CARTOON_NODES: addresses.join(",") } });
afterAll(async () => {
  await h.stop();
  for (const node of nodes) node.kill();
});

/** Waits until the edge has heard what the nodes say of themselves. */
async function heard(check: (nodes: { node_id: string; warm: string[]; health: string }[]) => boolean) {
  while (!check((await h.call("GET", "/v1/nodes")).body.nodes)) await sleep(5);
}
const warm = (node: ScriptedNode, id: string, ...names: string[]) => {
  node.setWarm(...names);
  return heard((seen) => seen.find(({ node_id }) => node_id === id)?.warm.join() === names.join());
};
async function renderOn(body: object): Promise<string> {
  const { body: render } = await h.call("POST", "/v1/renders", { clip: { prompt: "a walk", ...body } });
  await h.finished(render.id);
  const ran = nodes.findIndex((node) => node.runs.some(({ request }) => request.job_id === render.id));
  return ["small", "large", "third"][ran] ?? "none";
}

test("a job goes where its model and its LoRAs are warm, then where there is most room", async () => {
  await heard((seen) => seen.length === 3 && seen.every(({ health }) => health === "ready"));
  expect(await renderOn({ characters: ["temo"] })).toBe("large");
  await warm(large, "large");
  expect(await renderOn({ characters: ["temo"] })).toBe("third");
  await warm(small, "small", "toon", "temo_adapter");
  expect(await renderOn({ characters: ["temo"] })).toBe("small");
  await warm(third, "third", "toon", "felfel_adapter");
  expect(await renderOn({ characters: ["felfel"] })).toBe("third");
  await warm(large, "large", "toon", "temo_adapter", "felfel_adapter");
  expect(await renderOn({ characters: ["temo", "felfel"] })).toBe("large");
});

test("never to one that is not well, however warm", async () => {
  small.setHealth("NODE_HEALTH_DRAINING");
  large.setHealth("NODE_HEALTH_SETUP_FAILED");
  await heard((seen) => seen.filter(({ health }) => health === "ready").length === 1);
  expect(await renderOn({ characters: ["temo"] })).toBe("third");
});
