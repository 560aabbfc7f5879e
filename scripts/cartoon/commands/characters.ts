import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { defineCommand } from "citty";
import { EdgeClient } from "../../lib/edge-client.ts";
import { EXIT, UsageError } from "../exit.ts";

const edgeArgs = {
  url: {
    type: "string",
    description: "The edge; default: CARTOON_URL, or the one that `cartoon api` or `cartoon web` runs here",
  },
  key: { type: "string", description: "API key for it; default: CARTOON_API_KEY" },
} as const;

const LOCAL = ["http://localhost:8000", "http://localhost:7860"];

/** @throws UsageError when no edge runs on this machine */
async function edgeOf(args: { url?: string; key?: string }): Promise<EdgeClient> {
  const key = args.key ?? process.env.CARTOON_API_KEY;
  const given = args.url ?? process.env.CARTOON_URL;
  if (given) return new EdgeClient(given, key);
  for (const url of LOCAL) {
    const answer = await fetch(`${url}/livez`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return new EdgeClient(url, key);
  }
  throw new UsageError(`no edge answers at ${LOCAL.join(" or ")}: start \`cartoon api\`, or give --url`);
}

const isUrl = (text: string) => /^https?:\/\//i.test(text);

/** A flag that takes a file or a URL. @throws UsageError when there is no such file */
async function addSource(form: FormData, kind: "lora" | "voice", source: string | undefined): Promise<void> {
  if (source === undefined) return;
  if (isUrl(source)) return form.append(`${kind}_url`, source);
  const found = await stat(source).catch(() => undefined);
  if (!found?.isFile()) throw new UsageError(`--${kind} takes a file or a URL; there is no file "${source}"`);
  form.append(kind, Bun.file(source), basename(source));
}

const add = defineCommand({
  meta: {
    name: "add",
    description:
      'Register a character: cartoon characters add nana --lora nana.safetensors --voice nana.wav --transcript "Hello."',
  },
  args: {
    name: { type: "positional", description: "Lower-case letters, digits, - and _", required: true },
    lora: { type: "string", description: "LoRA in safetensors, a file or a URL" },
    voice: { type: "string", description: "Clip of the voice, up to 30 s, a file or a URL" },
    transcript: { type: "string", description: "What is said in the clip, word for word" },
    "voice-seed": { type: "string", description: "Pins the voice where there is no clip" },
    label: { type: "string", description: "As people read it; default: the name" },
    triggers: { type: "string", description: "Words of a prompt that stand for it: nana,granny" },
    speaker: { type: "string", description: "The voice of the model that it prefers, S1 or S2" },
    weight: { type: "string", description: "LoRA weight alone, 0 to 2" },
    ...edgeArgs,
  },
  async run({ args }) {
    const form = new FormData();
    const fields = {
      ...{ name: args.name, transcript: args.transcript, label: args.label, triggers: args.triggers },
      ...{ speaker: args.speaker, weight: args.weight, voice_seed: args["voice-seed"] },
    };
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.append(name, value);
    await addSource(form, "lora", args.lora);
    await addSource(form, "voice", args.voice);
    const edge = await edgeOf(args);
    const { name, created } = await edge.registerCharacter(form);
    console.log(`${name} is ${created ? "registered" : "replaced"}`);
    return EXIT.ok;
  },
});

const list = defineCommand({
  meta: { name: "list", description: "The characters of the pack and your own: cartoon characters list" },
  args: edgeArgs,
  async run({ args }) {
    for (const { name, label, triggers, registered } of await (await edgeOf(args)).characters())
      console.log([name, label, triggers.join(","), registered ? "yours" : "pack"].join("  "));
    return EXIT.ok;
  },
});

const remove = defineCommand({
  meta: { name: "remove", description: "Remove a character of yours: cartoon characters remove nana" },
  args: { name: { type: "positional", description: "Its name", required: true }, ...edgeArgs },
  async run({ args }) {
    await (await edgeOf(args)).removeCharacter(args.name);
    console.log(`${args.name} is gone`);
    return EXIT.ok;
  },
});

export const characters = defineCommand({
  meta: {
    name: "characters",
    description: "Characters of your own: cartoon characters list",
  },
  subCommands: { add, list, remove },
});
