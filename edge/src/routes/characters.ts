import { createRoute, z } from "@hono/zod-openapi";
import { withCharacters } from "../characters/catalog.ts";
import { type App, json, problems } from "../hono.ts";
import { principalOf, requireScope } from "../middleware/require-scope.ts";
import type { Services } from "../services.ts";

const Suggestion = z.object({ prompt: z.string(), dialogue: z.string() });
const Characters = z
  .object({
    characters: z.array(
      z.object({
        name: z.string(),
        label: z.string(),
        adapter: z.string().optional(),
        triggers: z.array(z.string()),
        speaker: z.string(),
        weight: z.number(),
        pair_weight: z.number(),
        suggestions: z.array(Suggestion),
        registered: z.boolean().describe("Added by you, not part of the pack"),
      }),
    ),
    pair_suggestions: z.array(Suggestion),
  })
  .openapi("Characters");

const route = (path: "/api/characters" | "/v1/characters") =>
  createRoute({
    method: "get",
    path,
    summary: "Characters of the default model pack and your own, with suggestions",
    tags: ["Characters"],
    middleware: requireScope("read"),
    responses: { 200: json(Characters, "The characters"), ...problems },
  });

/** What `/v1/characters` and `/api/characters` tell: the characters of the default pack, and those of the tenant. */
export function registerCharacters(app: App, services: Services): void {
  const describe = async (tenant: string) => {
    const own = services.catalog.pack("");
    const names = new Set(own.characters.map(({ name }) => name));
    const pack = withCharacters(own, await services.characters.of(tenant));
    const characters = pack.characters.map(
      ({ name, label, adapter, triggers, speaker, weight, pair_weight, suggestions }) => ({
        name,
        label,
        adapter,
        triggers,
        speaker,
        weight,
        pair_weight,
        suggestions,
        registered: !names.has(name),
      }),
    );
    return { characters, pair_suggestions: pack.pair_suggestions };
  };
  app.openapi(route("/v1/characters"), async (c) => c.json(await describe(principalOf(c).tenant), 200));
  app.openapi(route("/api/characters"), async (c) => c.json(await describe(principalOf(c).tenant), 200));
}
