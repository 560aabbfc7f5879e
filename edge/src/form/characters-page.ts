import { html } from "hono/html";
import type { FormModel, Suggestion } from "./form-page.ts";
import { layout } from "./layout.ts";

const tryUrl = (character: string, { prompt, dialogue }: Suggestion) =>
  `/?${new URLSearchParams({ character, prompt, dialogue })}`;

/** The page of the pack's characters, each with suggestions that open in the form. */
export function charactersPage(model: FormModel) {
  const groups = [
    ...model.characters,
    ...(model.characters.length > 1 ? [{ name: "both", label: "Both (Multi-Character)" }] : []),
  ];
  return layout({
    title: "Characters – Cartoon Animation Worker",
    body: html`<main id="main">${groups.map(
      ({ name, label }) => html`<section class="card" aria-label="${label}"><h2>${label}</h2>
    <ul class="plain">${(model.suggestions[name] ?? []).map(
      (one) =>
        html`<li><a href="${tryUrl(name, one)}" dir="auto">${one.prompt}</a><p class="hint" dir="auto">${one.dialogue}</p></li>`,
    )}</ul></section>`,
    )}</main>`,
  });
}
