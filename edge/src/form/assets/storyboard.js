// The form's storyboard: shots that are added, removed and moved, and what becomes of each.
const MAX_SHOTS = 32;
const FIELDS = ["character", "prompt", "dialogue", "transition"];
const list = document.getElementById("shots");
const add = document.getElementById("add-shot");
const shots = () => [...list.querySelectorAll(".shot")];
const field = (shot, name) => shot.querySelector(`[name$="_${name}"]`);

const say = (text) => {
  document.getElementById("shots-said").textContent = text;
};

/** Names and labels follow the order. */
function number() {
  const all = shots();
  all.forEach((shot, i) => {
    shot.querySelector("legend").textContent = `Shot ${i + 1}`;
    for (const name of FIELDS) {
      const input = field(shot, name);
      const label = input.parentElement.querySelector("label");
      input.name = `shot${i + 1}_${name}`;
      input.id = `field-${input.name}`;
      label.htmlFor = input.id;
    }
    for (const button of shot.querySelectorAll("[data-act]")) {
      button.setAttribute("aria-label", `${button.textContent} shot ${i + 1}`);
      const { act } = button.dataset;
      button.disabled =
        (act === "up" && i === 0) ||
        (act === "down" && i === all.length - 1) ||
        (act === "remove" && all.length === 1);
    }
    shot.querySelector(".into-next").hidden = i === all.length - 1;
  });
  add.disabled = all.length >= MAX_SHOTS;
}

function addShot() {
  const last = shots().at(-1);
  const shot = last.cloneNode(true);
  list.append(shot);
  for (const name of ["prompt", "dialogue"]) field(shot, name).value = "";
  field(shot, "character").value = field(last, "character").value;
  field(shot, "transition").value = field(last, "transition").value;
  number();
  field(shot, "prompt").focus();
  say(`Shot ${shots().length} added.`);
}

function act(event) {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  const shot = button.closest(".shot");
  const at = shots().indexOf(shot);
  if (button.dataset.act === "up") shot.previousElementSibling?.before(shot);
  if (button.dataset.act === "down") shot.nextElementSibling?.after(shot);
  if (button.dataset.act === "remove") {
    const next = shot.nextElementSibling ?? shot.previousElementSibling;
    shot.remove();
    number();
    field(next, "prompt").focus();
    return say(`Shot ${at + 1} removed.`);
  }
  number();
  const usable = button.disabled ? shot.querySelector("[data-act]:not(:disabled)") : button;
  usable?.focus();
  say(`Shot ${at + 1} is now shot ${shots().indexOf(shot) + 1}.`);
}

/** The body of `POST /v1/storyboards`: the shots, beside what the form says of all of them. */
export function storyboardBody(form, pair, shared) {
  const filled = shots().filter((shot) => field(shot, "prompt").value.trim() !== "");
  const body = { shots: [], ...shared };
  for (const name of ["title", "style", "negative_prompt"])
    if (form.elements[name].value.trim()) body[name] = form.elements[name].value;
  body.shots = filled.map((shot, i) => {
    const character = field(shot, "character").value;
    const seconds = field(shot, "transition").value;
    const one = { prompt: field(shot, "prompt").value };
    if (character) one.characters = character === "both" ? pair.map(({ name }) => name) : [character];
    if (field(shot, "dialogue").value.trim()) one.dialogue = field(shot, "dialogue").value;
    if (i < filled.length - 1 && seconds !== "cut")
      one.transition = { type: "crossfade", seconds: Number(seconds) };
    return one;
  });
  return body;
}

const STATES = { queued: "waiting", running: "drawing", committing: "storing", timed_out: "too slow" };

/** What each shot is at. */
export function showShots(holder, storyboard) {
  const rows = storyboard.shots.map((shot, i) => {
    const row = document.createElement("li");
    const text = document.createElement("span");
    text.className = "text";
    text.dir = "auto";
    text.textContent = `${i + 1}. ${shot.prompt}`;
    const state = document.createElement("span");
    const step = shot.stage === "denoise" && shot.status === "running" ? ` ${shot.step}/${shot.steps}` : "";
    state.textContent = `${STATES[shot.status] ?? shot.status}${step}`;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = shot.status === "succeeded" ? 1 : shot.progress;
    bar.setAttribute("aria-label", `Progress of shot ${i + 1}`);
    row.append(text, state, bar);
    if (shot.error) {
      const why = document.createElement("p");
      why.className = "error";
      why.textContent = shot.error.message;
      row.append(why);
    }
    return row;
  });
  holder.replaceChildren(...rows);
  holder.hidden = false;
}

/** A storyboard as the rest of the page takes a clip. */
export function asJob(storyboard) {
  const { shots, title, warnings } = storyboard;
  const ofShots = shots.flatMap((shot, i) =>
    shot.warnings.map((one) => ({ ...one, field: `shot ${i + 1}, ${one.field}` })),
  );
  const prompt = title || shots.map((shot) => shot.prompt).join(" · ");
  return {
    ...storyboard,
    warnings: [...ofShots, ...warnings],
    spec: { clip: { prompt, seed: shots[0]?.seed } },
  };
}

export const shotsLine = ({ stage, shots, shots_done }) =>
  stage === "join" ? "Joining the shots" : `${shots_done} of ${shots.length} shots done`;

list.addEventListener("click", act);
add.addEventListener("click", addShot);
number();
