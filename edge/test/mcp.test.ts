import { afterAll, expect, test } from "bun:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { startHarness } from "./harness.ts";

const h = await startHarness();
const client = new Client({ name: "test", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(`${h.url}/mcp`)));
afterAll(async () => {
  await client.close();
  await h.stop();
});

async function callTool(name: string, input: Record<string, unknown>) {
  const answer = await client.callTool({ name, arguments: input });
  const [content] = answer.content as { text: string }[];
  return { isError: answer.isError ?? false, text: content?.text ?? "" };
}

test("a model lists the tools and characters, renders, reads and cancels", async () => {
  const { tools } = await client.listTools();
  expect(tools.map((tool) => tool.name)).toEqual([
    "render",
    "storyboard",
    "status",
    "cancel",
    "list_characters",
  ]);
  expect(JSON.parse((await callTool("list_characters", {})).text).characters[0].name).toBe("temo");
  await h.call("POST", "/v1/characters", { name: "nana", voice_seed: 7 });
  const known = JSON.parse((await callTool("list_characters", {})).text).characters;
  expect(known.map((one: { name: string }) => one.name)).toEqual(["temo", "felfel", "nana"]);
  const rendered = await callTool("render", {
    prompt: "temo waves",
    dialogue: "Temo: Hello!",
    wait_seconds: 20,
  });
  const render = JSON.parse(rendered.text);
  expect(render).toMatchObject({ status: "succeeded", error: null });
  expect((await fetch(render.urls["clip.mp4"])).status).toBe(200);
  expect(JSON.parse((await callTool("status", { id: render.id })).text).id).toBe(render.id);
  expect(JSON.parse((await callTool("cancel", { id: render.id })).text).status).toBe("succeeded");
});

test("a storyboard is made, and read and canceled by its id as any render", async () => {
  const made = await callTool("storyboard", {
    title: "A day",
    shots: [
      { prompt: "temo waves", dialogue: "Temo: Hello!", transition: "crossfade" },
      { prompt: "felfel reads" },
    ],
    wait_seconds: 20,
  });
  const board = JSON.parse(made.text);
  expect(board).toMatchObject({ status: "succeeded", shots_done: 2, error: null });
  expect((await fetch(board.urls["clip.mp4"])).status).toBe(200);
  expect(JSON.parse((await callTool("status", { id: board.id })).text).status).toBe("succeeded");
  expect(JSON.parse((await callTool("cancel", { id: board.id })).text)).toMatchObject({
    id: board.id,
    status: "succeeded",
  });
  const wrong = await callTool("storyboard", { shots: [{ prompt: "a cat", transition: "cut" }] });
  expect([wrong.isError, wrong.text.includes("#/shots/0/transition")]).toEqual([true, true]);
});

test("a mistake is told to the model in words", async () => {
  const answer = await callTool("render", { prompt: "a cat", characters: ["garfield"] });
  expect(answer.isError).toBe(true);
  expect(answer.text).toContain('there is no character "garfield"; known: temo, felfel');
  expect((await callTool("status", { id: "job_none" })).text).toStartWith("not_found");
});
