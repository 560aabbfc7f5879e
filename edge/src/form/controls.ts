import { html } from "hono/html";

/** A slider of the form: name on the wire, label, range, step and start value. */
export interface Slider {
  name: string;
  label: string;
  min: number;
  max: number;
  step: number;
  value: number;
  hint?: string;
}

export function slider(control: Slider) {
  const id = `field-${control.name}`;
  return html`<div class="field">
    <div class="range">
      <label for="${id}">${control.label}</label>
      <output for="${id}" data-for="${control.name}">${control.value}</output>
      <input type="range" id="${id}" name="${control.name}" min="${control.min}" max="${control.max}"
        step="${control.step}" value="${control.value}">
    </div>
    ${control.hint ? html`<p class="hint">${control.hint}</p>` : ""}
  </div>`;
}

export interface Area {
  name: string;
  label: string;
  rows: number;
  maxLength: number;
  value: string;
  hint?: string;
  suggestions?: boolean;
}

export function area(control: Area) {
  const id = `field-${control.name}`;
  return html`<div class="field">
    <label for="${id}">${control.label}</label>
    <textarea id="${id}" name="${control.name}" rows="${control.rows}" maxlength="${control.maxLength}" dir="auto">${control.value}</textarea>
    ${control.hint ? html`<p class="hint">${control.hint}</p>` : ""}
    ${control.suggestions ? html`<div class="chips" id="${control.name}-suggestions" aria-label="Suggestions for ${control.label.toLowerCase()}" role="group"></div>` : ""}
  </div>`;
}

export interface Choice {
  value: string;
  label: string;
}

export function select(name: string, label: string, choices: Choice[], value: string, hint?: string) {
  const id = `field-${name}`;
  return html`<div class="field">
    <label for="${id}">${label}</label>
    <select id="${id}" name="${name}">
      ${choices.map(
        (one) =>
          html`<option value="${one.value}" ${one.value === value ? "selected" : ""}>${one.label}</option>`,
      )}
    </select>
    ${hint ? html`<p class="hint">${hint}</p>` : ""}
  </div>`;
}
