/// <reference path="../text-imports.d.ts" />
import { ERRORS } from "../errors/table.ts";
import type { App } from "../hono.ts";

interface Asset {
  type: string;
  load: () => Promise<{ default: string }>;
}

// Imported, not read from disk, so that the compiled edge carries them; when asked for, as they take ten megabytes.
const ASSETS: Record<string, Asset> = {
  "swagger-ui.css": {
    type: "text/css; charset=utf-8",
    load: () => import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } }),
  },
  "swagger-ui-bundle.js": {
    type: "text/javascript; charset=utf-8",
    load: () => import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }),
  },
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cartoon Animation Worker: API</title>
<link rel="icon" href="/form/icon.svg">
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
    const asset = Object.hasOwn(ASSETS, file) ? ASSETS[file] : undefined;
    if (asset === undefined) return c.notFound();
    const { default: text } = await asset.load();
    return new Response(text, { headers: { "content-type": asset.type, ...day } });
  });
}
