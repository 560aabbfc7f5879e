import { html } from "hono/html";
import type { CharacterView } from "../characters/schema.ts";
import type { FormModel, Suggestion } from "./form-page.ts";
import { layout } from "./layout.ts";

/** What the page shows beside the pack's characters. */
export interface CharactersState {
  /** The visitor's own characters; undefined while nobody knows whose they are. */
  own: readonly CharacterView[] | undefined;
  /** Values of a form that was refused, and why. */
  values: Record<string, string>;
  error: string;
  /** What was done. */
  done: string;
}

const tryUrl = (character: string, { prompt, dialogue }: Suggestion) =>
  `/?${new URLSearchParams({ character, prompt, dialogue })}`;

const keyField = (id: string) =>
  html`<div class="field"><label for="${id}">API key</label><input type="password" id="${id}" name="api_key" autocomplete="off" required></div>`;

function textField(
  name: string,
  label: string,
  values: Record<string, string>,
  more: { hint?: string; mode?: string; required?: boolean; maxLength?: number; fallback?: string } = {},
) {
  const { hint, mode = "text", required = false, maxLength = 2048, fallback = "" } = more;
  return html`<div class="field"><label for="new-${name}">${label}</label>
    <input type="text" inputmode="${mode}" id="new-${name}" name="${name}" value="${values[name] ?? fallback}" maxlength="${maxLength}" dir="auto" ${required ? "required" : ""} ${hint ? html`aria-describedby="new-${name}-hint"` : ""}>
    ${hint ? html`<p class="hint" id="new-${name}-hint">${hint}</p>` : ""}</div>`;
}

const fileField = (name: string, label: string, accept: string) =>
  html`<div class="field"><label for="new-${name}">${label}</label><input type="file" id="new-${name}" name="${name}" accept="${accept}"></div>`;

function registerForm(model: FormModel, { values, error, done }: CharactersState) {
  const text = (name: string, label: string, more?: Parameters<typeof textField>[3]) =>
    textField(name, label, values, more);
  // The key comes first: files are read only once it is known whose they are.
  return html`<form class="card" method="post" action="/characters" enctype="multipart/form-data" aria-label="Register a character">
    <h2>Register a character</h2>
    ${error ? html`<p class="error" role="alert">${error}</p>` : ""}
    ${done ? html`<p class="status" role="status">${done}</p>` : ""}
    ${model.needsKey ? keyField("new-api_key") : ""}
    ${text("name", "Name", { required: true, maxLength: 64, hint: "Lower-case letters, digits, - and _. An existing one of yours is replaced." })}
    ${text("label", "Label", { maxLength: 64, hint: "As people read it; the name where it is left empty." })}
    ${text("triggers", "Trigger words", { maxLength: 512, hint: "Words of a prompt that stand for it, with commas between them." })}
    ${fileField("lora", "LoRA file (.safetensors)", ".safetensors")}
    ${text("lora_url", "URL of the LoRA, in place of a file", { mode: "url" })}
    ${text("weight", "LoRA weight, 0 to 2", { mode: "decimal", maxLength: 5, fallback: "1" })}
    ${fileField("voice", "Voice clip (WAV, FLAC, MP3, Ogg, M4A or WebM, up to 30 s)", "audio/*,.wav,.flac,.mp3,.ogg,.m4a,.webm")}
    ${text("voice_url", "URL of the clip, in place of a file", { mode: "url" })}
    ${text("transcript", "What is said in the clip", { maxLength: 1000, hint: "Word for word; a voice clip needs it." })}
    ${text("voice_seed", "Voice seed", { mode: "numeric", maxLength: 16, hint: "Pins the voice where there is no clip." })}
    <div class="field"><label for="new-speaker">Preferred voice of the model</label>
      <select id="new-speaker" name="speaker">${["S1", "S2"].map(
        (one) => html`<option value="${one}" ${values.speaker === one ? "selected" : ""}>${one}</option>`,
      )}</select></div>
    <div class="links"><button class="primary" type="submit">Register</button></div>
  </form>`;
}

const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;

function describe({ lora, voice, triggers }: CharacterView): string {
  const parts = [
    lora ? `LoRA: ${lora.format}, rank ${lora.rank}, ${megabytes(lora.bytes)}` : "no LoRA",
    voice.clip
      ? `voice clip: ${voice.clip.format}${voice.clip.seconds === null ? "" : `, ${voice.clip.seconds} s`}`
      : voice.seed === null
        ? "the model's own voice"
        : `voice seed ${voice.seed}`,
    `trigger words: ${triggers.join(", ") || "none"}`,
  ];
  return parts.join("; ");
}

function ownCharacters(model: FormModel, { own }: CharactersState) {
  if (!own)
    return html`<form class="card" method="post" action="/characters/list" aria-label="Your characters"><h2>Your characters</h2>
      ${keyField("list-api_key")}<div class="links"><button type="submit">Show them</button></div></form>`;
  return html`<section class="card" aria-label="Your characters"><h2>Your characters</h2>
    ${own.length === 0 ? html`<p class="empty">None yet.</p>` : ""}
    <ul class="plain">${own.map(
      (
        one,
      ) => html`<li><a href="/?${new URLSearchParams({ character: one.name })}" dir="auto">${one.label}</a> <code>${one.name}</code>
      <p class="hint" dir="auto">${describe(one)}</p>
      <form method="post" action="/characters/${one.name}/delete" aria-label="Delete ${one.label}">${model.needsKey ? keyField(`delete-${one.name}`) : ""}<button type="submit" aria-label="Delete ${one.label}">Delete</button></form></li>`,
    )}</ul></section>`;
}

/** The page of characters: register one, one's own, and those of the pack with suggestions that open in the form. */
export function charactersPage(model: FormModel, state: CharactersState) {
  const mine = new Set(state.own?.map(({ name }) => name));
  const groups = [
    ...model.characters.filter(({ name }) => !mine.has(name)),
    ...(model.characters.length > 1 ? [{ name: "both", label: "Both (Multi-Character)" }] : []),
  ];
  return layout({
    title: "Characters – Cartoon Animation Worker",
    body: html`<main id="main">${registerForm(model, state)}<div>${ownCharacters(model, state)}${groups.map(
      ({ name, label }) => html`<section class="card" aria-label="${label}"><h2>${label}</h2>
    <ul class="plain">${(model.suggestions[name] ?? []).map(
      (one) =>
        html`<li><a href="${tryUrl(name, one)}" dir="auto">${one.prompt}</a><p class="hint" dir="auto">${one.dialogue}</p></li>`,
    )}</ul></section>`,
    )}</div></main>`,
  });
}
