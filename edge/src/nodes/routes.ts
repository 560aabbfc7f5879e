import { removeNode, seeNode } from "@cartoon/db";
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { tokenOf } from "../auth/authenticate.ts";
import { ApiError } from "../errors/table.ts";
import { type App, type AppEnv, json, problems } from "../hono.ts";
import { jsonBody } from "../middleware/json-body.ts";
import { requireScope } from "../middleware/require-scope.ts";
import type { Services } from "../services.ts";
import { verifyNodeToken } from "./token.ts";

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;
const tags = ["Nodes"];

const list = createRoute({
  method: "get",
  path: "/v1/nodes",
  summary: "The nodes that this edge knows",
  tags,
  middleware: requireScope("admin"),
  responses: {
    200: json(z.object({ nodes: z.array(z.record(z.string(), z.unknown())) }), "All of them"),
    ...problems,
  },
});
const register = createRoute({
  method: "put",
  path: "/v1/nodes/self",
  summary: "A node says where it is; with a node token, every 15 seconds",
  tags,
  middleware: jsonBody,
  request: {
    body: {
      required: true,
      content: {
        "application/json": { schema: z.strictObject({ address: z.string().regex(ADDRESS, "host:port") }) },
      },
    },
  },
  responses: { 204: { description: "Noted" }, ...problems },
});
const leave = createRoute({
  method: "delete",
  path: "/v1/nodes/self",
  summary: "A node says goodbye",
  tags,
  responses: { 204: { description: "Forgotten" }, ...problems },
});

/** Nodes that register themselves, and the list of all. */
export function registerNodes(app: App, services: Services): void {
  const { db, nodes, nodeAddresses, secret } = services;

  function nameOf(c: Context<AppEnv>): string {
    const token = tokenOf(c.req.header("authorization"), undefined);
    const name = token === undefined ? undefined : verifyNodeToken(secret, token, Date.now());
    if (name === undefined)
      throw new ApiError("unauthenticated", "a node token is needed: `cartoon keys node <name>`");
    return name;
  }

  app.openapi(list, (c) => c.json({ nodes: nodes.nodes.map((node) => node.describe()) }, 200));

  app.openapi(register, async (c) => {
    await seeNode(db, { id: nameOf(c), address: c.req.valid("json").address, status: {} });
    await nodeAddresses.refresh();
    return c.body(null, 204);
  });

  app.openapi(leave, async (c) => {
    await removeNode(db, nameOf(c));
    await nodeAddresses.refresh();
    return c.body(null, 204);
  });
}
