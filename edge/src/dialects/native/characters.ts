import { deleteCharacter, getCharacter } from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import { fieldsOfForm } from "../../characters/form-fields.ts";
import { type CharacterFiles, registerCharacter } from "../../characters/register.ts";
import { CharacterFields, CharacterView } from "../../characters/schema.ts";
import { isForm, readUpload } from "../../characters/upload.ts";
import { toCharacterView } from "../../characters/view.ts";
import { validationError } from "../../errors/from-zod.ts";
import { ApiError } from "../../errors/table.ts";
import { type App, json, problems } from "../../hono.ts";
import { principalOf, requireScope } from "../../middleware/require-scope.ts";
import type { Services } from "../../services.ts";

const tags = ["Characters"];
const NameParam = z.object({ name: z.string().max(64) });
const file = z.custom<File>().openapi({ type: "string", format: "binary" });

const create = createRoute({
  method: "post",
  path: "/v1/characters",
  operationId: "registerCharacter",
  summary: "Register a character, or replace the one of that name",
  description:
    "A form (multipart/form-data) with the files `lora` and `voice`, or JSON with `lora_url` and `voice_url`.",
  tags,
  middleware: requireScope("render"),
  request: {
    body: {
      content: {
        "application/json": { schema: CharacterFields.openapi("CharacterFields") },
        "multipart/form-data": {
          schema: CharacterFields.extend({ lora: file.optional(), voice: file.optional() }),
        },
      },
    },
  },
  responses: {
    201: json(CharacterView, "Registered"),
    200: json(CharacterView, "Replaced"),
    ...problems,
  },
});
const get = createRoute({
  method: "get",
  path: "/v1/characters/{name}",
  operationId: "getCharacter",
  summary: "A registered character",
  tags,
  middleware: requireScope("read"),
  request: { params: NameParam },
  responses: { 200: json(CharacterView, "The character"), ...problems },
});
const remove = createRoute({
  method: "delete",
  path: "/v1/characters/{name}",
  operationId: "deleteCharacter",
  summary: "Remove a registered character; renders that were submitted before still have it",
  tags,
  middleware: requireScope("render"),
  request: { params: NameParam },
  responses: { 204: { description: "Removed" }, ...problems },
});

/** Registering, reading and removing characters. The list is in `routes/characters.ts`, with those of the pack. */
export function registerNativeCharacters(app: App, services: Services): void {
  const { db } = services;

  app.openAPIRegistry.registerPath(create);
  // Not `app.openapi`: its validator would read a form of any size into memory.
  app.post("/v1/characters", requireScope("render"), async (c) => {
    const { tenant } = principalOf(c);
    if (services.stopping.aborted) throw new ApiError("shutting_down", "this edge is going down; try again");
    // A large file may take its time, also one that is fetched from elsewhere.
    c.env?.holdOpen?.();
    const kept = isForm(c.req.header("content-type"))
      ? await fromForm(services, tenant, c.req.raw)
      : await registerCharacter(services, tenant, await fieldsOfJson(c.req), {});
    c.header("location", `/v1/characters/${kept.character.name}`);
    return c.json(toCharacterView(kept.character), kept.created ? 201 : 200);
  });

  app.openapi(get, async (c) => {
    const { name } = c.req.valid("param");
    return c.json(toCharacterView(await getCharacter(db, principalOf(c).tenant, name)), 200);
  });

  app.openapi(remove, async (c) => {
    await deleteCharacter(db, principalOf(c).tenant, c.req.valid("param").name);
    return c.body(null, 204);
  });
}

async function fieldsOfJson(request: { header(name: string): string | undefined; json(): Promise<unknown> }) {
  const type = request.header("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw new ApiError(
      "unsupported_media_type",
      `the body must be multipart/form-data or application/json, not ${type || "untyped"}`,
    );
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw new ApiError("invalid_json", "the body is not valid JSON");
  }
  const parsed = CharacterFields.safeParse(body);
  if (!parsed.success) throw validationError(parsed.error.issues);
  return parsed.data;
}

async function fromForm(services: Services, tenant: string, request: Request) {
  const { fields, files, discard } = await readUpload(services, request);
  try {
    return await registerCharacter(services, tenant, fieldsOfForm(fields), files satisfies CharacterFiles);
  } finally {
    await discard();
  }
}
