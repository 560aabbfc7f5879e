import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** The frame of every page: title, style, header with the way to the API's documentation. */
export function layout(page: { title: string; body: Html; head?: Html; scripts?: Html }) {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${page.title}</title>
  <meta name="description" content="Talking cartoons of Temo and Felfel from a prompt and a dialogue">
  <link rel="icon" href="/form/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/form/form.css">
  ${page.head ?? ""}
</head>
<body>
  <a class="skip" href="#main">Skip to the form</a>
  <header class="page">
    <h1>Cartoon Animation Worker</h1>
    <nav aria-label="Site"><a href="/">New clip</a><a href="/characters">Characters</a><a href="/docs">API</a></nav>
  </header>
  ${page.body}
  ${page.scripts ?? ""}
</body>
</html>`;
}
