import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ERRORS } from "../errors/table.ts";
import type { App } from "../hono.ts";

const ASSETS: Record<string, string> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cartoon Animation Worker: API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });\n`;

const errorsPage = () => {
  const rows = Object.entries(ERRORS)
    .map(
      ([code, { status, title }]) =>
        `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${title}</td></tr>`,
    )
    .join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Error codes</title></head>
<body><h1>Error codes</h1><table><tr><th>code</th><th>status</th><th>meaning</th></tr>
${rows}
</table></body></html>
`;
};

/** Swagger UI from the files of its package: no CDN, no inline script. */
export function registerDocs(app: App): void {
  const folder = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  const day = { "cache-control": "public, max-age=86400" };

  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Cartoon Animation Worker",
      version: "6.0.0",
      description: "Prompt and dialogue in, a talking two-character cartoon out.",
    },
    security: [{ bearer: [] }, { apiKey: [] }],
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "apiKey",
    in: "header",
    name: "x-api-key",
  });

  app.get("/docs", (c) => c.html(PAGE));
  app.get("/docs/errors", (c) => c.html(errorsPage()));
  app.get(
    "/docs/start.js",
    () => new Response(START, { headers: { "content-type": "text/javascript", ...day } }),
  );
  app.get("/docs/:file", async (c) => {
    const file = c.req.param("file");
    const type = Object.hasOwn(ASSETS, file) ? ASSETS[file] : undefined;
    if (type === undefined) return c.notFound();
    return new Response(new Uint8Array(await readFile(join(folder, file))), {
      headers: { "content-type": type, ...day },
    });
  });
}
