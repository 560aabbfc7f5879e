import { html } from "hono/html";
import { area, select } from "./controls.ts";
import type { FormModel } from "./form-page.ts";

/** Shots that the page starts with: as many as a browser without JavaScript can fill in. */
export const FIRST_SHOTS = 3;

const TRANSITIONS = [
  { value: "cut", label: "Cut" },
  { value: "0.25", label: "Cross-fade, ¼ second" },
  { value: "0.5", label: "Cross-fade, ½ second" },
  { value: "1", label: "Cross-fade, 1 second" },
];

/** The pair first, then each character alone, with their first suggestions. */
function startOf(model: FormModel, index: number) {
  const groups = [
    ...(model.characters.length > 1 ? ["both"] : []),
    ...model.characters.map(({ name }) => name),
  ];
  const character = groups[index % Math.max(1, groups.length)] ?? "";
  return { character, ...model.suggestions[character]?.[0] };
}

function shot(model: FormModel, values: Record<string, string>, index: number) {
  const start = startOf(model, index);
  const name = (field: string) => `shot${index + 1}_${field}`;
  const value = (field: string, otherwise: string) => values[name(field)] ?? otherwise;
  const button = (act: string, label: string) =>
    html`<button type="button" data-act="${act}" aria-label="${label} shot ${index + 1}">${label}</button>`;
  return html`<fieldset class="shot"><legend>Shot ${index + 1}</legend>
    ${select(
      name("character"),
      "Characters",
      [
        ...(model.characters.length > 1 ? [{ value: "both", label: "Both (Multi-Character)" }] : []),
        ...model.characters.map((one) => ({ value: one.name, label: one.label })),
      ],
      value("character", start.character),
    )}
    ${area({ name: name("prompt"), label: "Prompt", rows: 2, maxLength: 2000, value: value("prompt", start.prompt ?? "") })}
    ${area({ name: name("dialogue"), label: "Dialogue", rows: 2, maxLength: 8000, value: value("dialogue", start.dialogue ?? "") })}
    <div class="into-next">${select(name("transition"), "Into the next shot", TRANSITIONS, value("transition", "cut"))}</div>
    <div class="links needs-script" hidden>${button("up", "Move up")}${button("down", "Move down")}${button("remove", "Remove")}</div>
  </fieldset>`;
}

/** The fields of a storyboard; what all shots have in common is in the rest of the form. */
export function storyboardSection(model: FormModel, values: Record<string, string>) {
  const shots = Array.from({ length: FIRST_SHOTS }, (_, index) => shot(model, values, index));
  return html`<div class="only-storyboard" id="storyboard">
    <div class="field"><label for="field-title">Title</label><input type="text" id="field-title" name="title" maxlength="200" value="${values.title ?? ""}" dir="auto" autocomplete="off"></div>
    <div id="shots">${shots}</div>
    <p class="hint">A shot without a prompt is left out.</p>
    <div class="links needs-script" hidden><button type="button" id="add-shot">Add a shot</button></div>
    <p class="hint" id="shots-said" role="status"></p>
    ${area({ name: "style", label: "Style of every shot", rows: 1, maxLength: 1000, value: values.style ?? "", hint: "Added to each prompt, e.g. “at night, in the snow”." })}
  </div>`;
}
