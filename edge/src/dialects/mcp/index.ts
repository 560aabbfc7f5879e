import { ApiError } from "../../errors/table.ts";
import type { App } from "../../hono.ts";
import { requireScope } from "../../middleware/require-scope.ts";
import type { Services } from "../../services.ts";

/** Loaded by the first message: it takes megabytes, and most edges never see one. */
const loadMcp = async () => ({
  ...(await import("@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js")),
  ...(await import("./tools.ts")),
});

/** Model Context Protocol over HTTP at `/mcp`, without sessions: any edge answers any request. */
export function registerMcp(app: App, services: Services): void {
  app.post("/mcp", requireScope("read"), async (c) => {
    const { mcpServer, WebStandardStreamableHTTPServerTransport } = await loadMcp();
    const server = mcpServer(services, {
      principal: c.get("principal"),
      origin: c.get("origin"),
      requestId: c.get("requestId"),
    });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: undefined,
      enableJsonResponse: true,
    });
    await server.connect(transport);
    c.env?.holdOpen?.();
    return transport.handleRequest(c.req.raw);
  });
  app.on(["GET", "DELETE"], "/mcp", () => {
    throw new ApiError("method_not_allowed", "there are no sessions: POST each message", {
      headers: { allow: "POST" },
    });
  });
}
