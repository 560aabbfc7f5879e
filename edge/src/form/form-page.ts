import { html, raw } from "hono/html";
import { area, select, slider } from "./controls.ts";
import { layout } from "./layout.ts";
import { pictureSliders, voiceSliders } from "./ranges.ts";
import { storyboardSection } from "./storyboard-section.ts";

export interface Suggestion {
  prompt: string;
  dialogue: string;
}

/** What the form needs to know of the pack: characters, suggestions and start values. */
export interface FormModel {
  characters: { name: string; label: string }[];
  /** By character name, and under `both` for the pair. */
  suggestions: Record<string, Suggestion[]>;
  picture: Parameters<typeof pictureSliders>[0];
  voice: Parameters<typeof voiceSliders>[0];
  /** True where requests need an API key. */
  needsKey: boolean;
  /** Demo mode: everything can be tried, nothing is rendered. */
  demo: boolean;
}

/** Values of an earlier submission without JavaScript, and what was wrong with them. */
export interface Submitted {
  values: Record<string, string>;
  error: string;
}

const FITS = [
  { value: "pingpong", label: "Back and forth until the dialogue ends" },
  { value: "loop", label: "Loop until the dialogue ends" },
  { value: "hold", label: "Hold the last frame" },
  { value: "extend", label: "Draw more frames" },
  { value: "trim", label: "Cut to the shorter one" },
  { value: "pad", label: "Pad with silence" },
];

const KINDS = [
  { value: "combined", label: "Combined" },
  { value: "animation", label: "Animation" },
  { value: "speech", label: "Voice" },
  { value: "storyboard", label: "Storyboard" },
];

export function formPage(model: FormModel, submitted?: Submitted) {
  const values = submitted?.values ?? {};
  const pair = model.suggestions.both?.[0];
  const kind = values.kind ?? "combined";
  const sliders = (list: ReturnType<typeof pictureSliders>) =>
    list.map((one) => slider({ ...one, value: Number(values[one.name] ?? one.value) }));
  return layout({
    title: "Cartoon Animation Worker",
    scripts: html`<script type="application/json" id="form-config">${raw(safeJson({ suggestions: model.suggestions, pair: model.characters.slice(0, 2), demo: model.demo }))}</script>
  <script type="module" src="/form/form.js"></script>`,
    body: html`<main id="main">
  <form class="card" id="render-form" method="post" action="/form/render" aria-label="Describe the clip">
    ${model.demo ? html`<p class="error">Demo: every control works, nothing is rendered.</p>` : ""}
    ${submitted?.error ? html`<p class="error" role="alert">${submitted.error}</p>` : ""}
    <fieldset class="tabs"><legend>What to make</legend>
      ${KINDS.map(
        (one) =>
          html`<input type="radio" name="kind" id="kind-${one.value}" value="${one.value}" ${one.value === kind ? "checked" : ""}><label for="kind-${one.value}">${one.label}</label>`,
      )}
    </fieldset>
    ${model.needsKey ? html`<div class="field"><label for="field-api_key">API key</label><input type="password" id="field-api_key" name="api_key" autocomplete="off" required></div>` : ""}
    <div class="one-clip">${select(
      "character",
      "Characters",
      [
        ...(model.characters.length > 1 ? [{ value: "both", label: "Both (Multi-Character)" }] : []),
        ...model.characters.map((one) => ({ value: one.name, label: one.label })),
      ],
      values.character ?? (model.characters.length > 1 ? "both" : model.characters[0]?.name) ?? "",
    )}</div>
    ${storyboardSection(model, values)}
    <div class="only-clip one-clip">
      <div id="blend-field">${slider({ name: "blend", label: blendLabel(model), min: 0, max: 100, step: 5, value: Number(values.blend ?? 50) })}</div>
      ${area({ name: "prompt", label: "Prompt", rows: 3, maxLength: 2000, value: values.prompt ?? pair?.prompt ?? "", suggestions: true })}
    </div>
    <div class="only-clip">
      ${area({ name: "negative_prompt", label: "Negative prompt", rows: 1, maxLength: 2000, value: values.negative_prompt ?? "", hint: "What should not be seen." })}
    </div>
    <div class="only-speech one-clip">
      ${area({ name: "dialogue", label: "Dialogue", rows: 3, maxLength: 8000, value: values.dialogue ?? pair?.dialogue ?? "", suggestions: true, hint: "One line per speaker: [S1] … [S2] …, or Temo: … Felfel: …" })}
    </div>
    <div class="field">
      <label for="field-seed">Seed</label>
      <div class="row">
        <input type="text" inputmode="numeric" pattern="[0-9]*" id="field-seed" name="seed" value="${values.seed ?? ""}" aria-describedby="seed-hint" autocomplete="off">
        <button type="button" id="dice" class="needs-script" hidden aria-label="Roll a random seed"><svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true"><rect x="1" y="1" width="14" height="14" rx="3" fill="none" stroke="currentColor"/><g fill="currentColor"><circle cx="4.5" cy="4.5" r="1.3"/><circle cx="11.5" cy="4.5" r="1.3"/><circle cx="8" cy="8" r="1.3"/><circle cx="4.5" cy="11.5" r="1.3"/><circle cx="11.5" cy="11.5" r="1.3"/></g></svg></button>
      </div>
      <p class="hint" id="seed-hint">Leave empty for random, or enter a number like 42 to get the same clip again.</p>
    </div>
    <div class="only-combined">${select("fit", "Clip and dialogue of different length", FITS, values.fit ?? "pingpong")}</div>
    <div class="field"><label><input type="checkbox" name="captions" value="yes" ${values.captions === undefined && submitted?.error ? "" : "checked"}> Captions</label></div>
    <details class="only-clip"><summary>Picture settings</summary><div class="inside">${sliders(pictureSliders(model.picture))}</div></details>
    <details class="only-speech"><summary>Voice settings</summary><div class="inside">${sliders(voiceSliders(model.voice))}</div></details>
    <div class="links">
      <button class="primary" id="generate" type="submit">Generate</button>
      <button type="button" id="cancel" hidden>Cancel</button>
    </div>
    <div class="links needs-script" hidden>
      <span>Copy as</span>
      <button type="button" data-copy="curl">curl</button>
      <button type="button" data-copy="typescript">TypeScript</button>
      <button type="button" data-copy="python">Python</button>
    </div>
  </form>
  <div>
    <section class="card" id="job" aria-label="Result">
      <h2>Result</h2>
      <p class="status" id="status" role="status" aria-live="polite"></p>
      <progress id="bar" max="1" value="0" hidden aria-label="Progress of the render"></progress>
      <p class="error" id="error" role="alert" hidden></p>
      <ol class="history" id="shots-progress" aria-label="Shots" hidden></ol>
      <p class="empty" id="empty">The clip appears here.</p>
      <div class="media"><img id="preview" alt="Preview of the clip while it is drawn" hidden></div>
      <div class="media"><audio id="first-sentences" controls hidden aria-label="The first sentences, while the rest is made"></audio></div>
      <div class="media" id="media"></div>
      <div class="links" id="downloads"></div>
      <ul class="warnings" id="warnings" hidden></ul>
      <div class="links">
        <button type="button" id="retry" hidden>Make it after all</button>
        <button type="button" id="same-seed" hidden>Same seed again</button>
        <button type="button" id="share" hidden>Share link</button>
      </div>
      <p class="hint" id="shared" role="status" hidden></p>
    </section>
    <section class="card" id="history-card" hidden aria-label="Your clips">
      <h2>Your clips</h2>
      <ul class="history" id="history"></ul>
    </section>
  </div>
</main>
<footer>Clips carry their settings in the file, so that the same seed draws them again.</footer>`,
  });
}

const blendLabel = ({ characters }: FormModel) =>
  `Blend, ${characters
    .slice(0, 2)
    .map((one) => one.label)
    .join(" : ")}`;

/** JSON that cannot end the script element it stands in. */
function safeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}
