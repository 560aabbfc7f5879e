// The form's behaviour on top of plain HTML: without it the form still submits and the job page polls.
import { asJob, shotsLine, showShots, storyboardBody } from "./storyboard.js";

const config = JSON.parse(document.getElementById("form-config").textContent);
const form = document.getElementById("render-form");
const $ = (id) => document.getElementById(id);
const HISTORY_KEY = "cartoon-history";

const chosenCharacters = () =>
  form.character.value === "both"
    ? config.pair.map((one) => one.name)
    : form.character.value === ""
      ? []
      : [form.character.value];

const suggestionsFor = (value) => config.suggestions[value] ?? [];

function showSuggestions() {
  const list = suggestionsFor(form.character.value);
  for (const key of ["prompt", "dialogue"]) {
    const holder = $(`${key}-suggestions`);
    holder.replaceChildren(
      ...list
        .filter((one) => one[key])
        .map((one) => {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = one[key];
          button.addEventListener("click", () => {
            form[key].value = one[key];
            form[key].focus();
          });
          return button;
        }),
    );
  }
  $("blend-field").hidden = form.character.value !== "both";
}

/** A field that still holds a suggestion follows the character; what a person typed stays. */
function followCharacter() {
  const known = Object.values(config.suggestions).flat();
  const first = suggestionsFor(form.character.value)[0];
  for (const key of ["prompt", "dialogue"]) {
    const value = form[key].value.trim();
    if (first?.[key] && (value === "" || known.some((one) => one[key] === value)))
      form[key].value = first[key];
  }
  showSuggestions();
}

function showOutputs() {
  for (const output of form.querySelectorAll("output[data-for]")) {
    const input = form[output.dataset.for];
    output.textContent =
      input.name === "blend" ? `${100 - input.value} : ${input.value}` : Number(input.value).toString();
  }
}

const PICTURE_SETTINGS = ["width", "height", "num_frames", "fps", "num_inference_steps", "guidance_scale"];

const number = (name) => Number(form[name].value);

const pictureSettings = () => Object.fromEntries(PICTURE_SETTINGS.map((name) => [name, number(name)]));

const VOICE_SETTINGS = ["max_new_tokens", "tts_guidance_scale", "temperature", "top_p", "top_k"];

const voiceSettings = () =>
  Object.fromEntries(
    VOICE_SETTINGS.map((name) => [name === "tts_guidance_scale" ? "guidance_scale" : name, number(name)]),
  );

/** Where the form's request goes to. */
const endpoint = () => (form.kind.value === "storyboard" ? "/v1/storyboards" : "/v1/renders");

function storyboardRequest() {
  const output = { fit: form.fit.value, captions: form.captions.checked };
  const shared = { output, clip: pictureSettings(), speech: voiceSettings() };
  if (form.seed.value.trim() !== "") shared.seed = Number(form.seed.value);
  return storyboardBody(form, config.pair, shared);
}

function requestBody() {
  const kind = form.kind.value;
  if (kind === "storyboard") return storyboardRequest();
  const body = { output: { fit: form.fit.value, captions: form.captions.checked } };
  const seed = form.seed.value.trim();
  if (kind !== "speech") {
    const names = chosenCharacters();
    const blend = number("blend") / 100;
    body.prompt = form.prompt.value;
    if (form.negative_prompt.value.trim()) body.negative_prompt = form.negative_prompt.value;
    body.characters =
      names.length === 2
        ? [
            { name: names[0], weight: Number((1 - blend).toFixed(2)) },
            { name: names[1], weight: Number(blend.toFixed(2)) },
          ]
        : names;
    body.clip = pictureSettings();
  }
  if (kind !== "animation" && form.dialogue.value.trim()) {
    body.dialogue = form.dialogue.value;
    body.speech = voiceSettings();
  }
  if (seed !== "") body.seed = Number(seed);
  return body;
}

function show(element, visible) {
  element.hidden = !visible;
}

function say(text) {
  $("status").textContent = text;
}

function showError(text) {
  const box = $("error");
  box.textContent = text;
  show(box, Boolean(text));
}

function problemText(problem) {
  const fields = (problem.errors ?? []).map((one) => `${one.pointer ?? ""} ${one.detail ?? ""}`.trim());
  return [problem.detail ?? problem.title ?? "The request failed.", ...fields].join("\n");
}

async function call(path, { as, ...options } = {}) {
  const headers = { ...options.headers };
  const key = form.api_key?.value;
  if (key) headers.authorization = `Bearer ${key}`;
  const response = await fetch(path, { ...options, headers });
  if (response.ok && as === "blob") return response.blob();
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? await response.json() : await response.text();
  if (response.ok) return body;
  const message = typeof body === "string" ? body || response.statusText : problemText(body);
  throw Object.assign(new Error(message), { status: response.status });
}

let watching = null;

const STAGES = {
  load: "Loading the models",
  speech: "Making the voices",
  denoise: "Drawing",
  decode: "Developing the frames",
  mux: "Joining picture and sound",
  upload: "Storing the result",
};

const seconds = (value) => (value > 0 ? `, about ${Math.max(1, Math.round(value))} s left` : "");

function showJob(job) {
  show($("empty"), false);
  const bar = $("bar");
  show(bar, !isOver(job.status));
  bar.value = job.progress ?? 0;
  if (job.status === "queued") {
    const place = job.queue_position ? ` (place ${job.queue_position})` : "";
    say(`Waiting in the queue${place}${seconds(job.starts_in_seconds)}`);
  } else if (job.status === "running" || job.status === "committing") {
    const step = job.stage === "denoise" && job.steps ? ` – step ${job.step} of ${job.steps}` : "";
    const said = job.stage === "speech" && job.spoken ? ` – ${job.spoken} s of speech` : "";
    if (job.shots) say(shotsLine(job));
    else say(`${STAGES[job.stage] ?? "Working"}${step}${said}${seconds(job.eta_seconds)}`);
  } else say(job.status === "succeeded" ? "Done." : job.status === "canceled" ? "Canceled." : "");
  if (job.status === "failed" || job.status === "timed_out")
    showError(
      job.error?.message ?? (job.status === "timed_out" ? "The job took too long." : "The render failed."),
    );
  show($("cancel"), !isOver(job.status));
  $("generate").disabled = !isOver(job.status);
}

const isOver = (status) => ["succeeded", "failed", "canceled", "timed_out"].includes(status);

const result = (job, name) => job.results?.find((one) => one.name === name);

function mediaElement(kind, job, name) {
  const found = result(job, name);
  if (!found) return null;
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const media = document.createElement(kind);
  if (kind === "img") media.alt = `Animated clip: ${job.spec?.clip?.prompt ?? ""}`;
  else media.controls = true;
  if (kind === "video") {
    // Captions from another origin, such as a bucket, are shown only where the video is asked for with CORS.
    media.crossOrigin = "anonymous";
    // A bucket without CORS still shows the clip, without captions.
    const withoutCors = () => {
      media.removeAttribute("crossorigin");
      media.src = found.url;
    };
    media.addEventListener("error", withoutCors, { once: true });
    media.autoplay = true;
    media.playsInline = true;
    const poster = result(job, "poster.png");
    if (poster) media.poster = poster.url;
    const captions = result(job, "captions.vtt");
    if (captions) {
      const track = document.createElement("track");
      Object.assign(track, {
        kind: "captions",
        label: "Dialogue",
        srclang: "en",
        src: captions.url,
        default: true,
      });
      media.append(track);
    }
  }
  media.src = found.url;
  caption.textContent = { video: "Clip with captions", img: "GIF", audio: "Voices" }[kind];
  if (kind === "img") figure.className = "small";
  if (kind === "audio") media.setAttribute("aria-label", "The voices");
  figure.append(media, caption);
  return figure;
}

function showResults(job) {
  const media = $("media");
  media.replaceChildren(
    ...[
      mediaElement("video", job, "clip.mp4"),
      mediaElement("img", job, "clip.gif"),
      mediaElement("audio", job, "speech.wav"),
    ].filter(Boolean),
  );
  $("downloads").replaceChildren(
    ...(job.results ?? []).map((one) => {
      const link = document.createElement("a");
      link.className = "button";
      link.href = one.download_url;
      link.download = one.name;
      link.textContent = `${one.name} (${size(one.bytes)})`;
      return link;
    }),
  );
  const warnings = $("warnings");
  warnings.replaceChildren(
    ...(job.warnings ?? []).map((one) => {
      const item = document.createElement("li");
      item.textContent = `${one.field}: ${one.given} → ${one.used} (${one.rule})`;
      return item;
    }),
  );
  show(warnings, Boolean(job.warnings?.length));
  const seed = job.spec?.clip?.seed ?? job.spec?.speech?.seed;
  const again = $("same-seed");
  again.dataset.seed = seed ?? "";
  again.textContent = `Same seed again (${seed})`;
  show(again, seed !== undefined);
  show($("share"), true);
}

const size = (bytes) =>
  bytes > 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1000))} kB`;

const POLL_MS = 1000;

/** Shows the job until it is over. Events wake it; a key can't go with them, so where there is one, it polls. */
function watch(id) {
  watching?.close();
  const source = form.api_key ? { close() {} } : new EventSource(`/v1/renders/${id}/events`);
  watching = source;
  let busy = false;
  let stale = false;
  let over = false;
  let eta;
  let spoken = "";
  let previewed = 0;
  let isBoard = false;
  let timer;
  const update = async () => {
    try {
      let job = await call(`/v1/renders/${id}`);
      isBoard = Boolean(job.spec.join);
      if (isBoard) {
        job = asJob(await call(`/v1/storyboards/${id}`));
        if (watching === source) showShots($("shots-progress"), job);
      }
      const place =
        job.status === "queued" && !isBoard ? await call(`/v1/renders/${id}/estimate`).catch(() => ({})) : {};
      if (watching !== source) return;
      showJob({
        ...job,
        queue_position: place.position,
        starts_in_seconds: place.starts_in_seconds,
        eta_seconds: eta,
        spoken,
      });
      if (form.api_key && job.stage === "denoise" && job.step > previewed) {
        previewed = job.step;
        showPreview(id);
      }
      over = isOver(job.status);
      if (form.api_key && job.stage === "speech" && !over) await listening.fetchNext(id);
      if (over) {
        source.close();
        show($("preview"), false);
        listening.end();
        if (job.status === "succeeded") showResults(job);
        show($("retry"), isBoard && job.status !== "succeeded");
        remember(job);
      }
    } catch (error) {
      showError(error.message);
      over = [401, 403, 404].includes(error.status);
      if (over) {
        source.close();
        $("generate").disabled = false;
      }
    }
  };
  const refresh = async () => {
    // What happens while the job is fetched may be younger than the answer.
    stale = true;
    if (busy) return;
    busy = true;
    while (stale && !over && watching === source) {
      stale = false;
      await update();
    }
    busy = false;
    // A storyboard's events tell what its shots are at only as they start and end.
    const noEvents = isBoard || source.readyState === undefined || source.readyState === 2;
    clearTimeout(timer);
    if (!over && noEvents && watching === source) timer = setTimeout(refresh, POLL_MS);
  };
  if (source.addEventListener) {
    for (const type of EVENT_TYPES) source.addEventListener(type, refresh);
    source.addEventListener("progress", (event) => {
      const { eta_seconds, speech_seconds, speech_seconds_expected } = JSON.parse(event.data);
      eta = eta_seconds;
      spoken = speech_seconds
        ? `${speech_seconds.toFixed(1)} of about ${speech_seconds_expected.toFixed(1)}`
        : "";
    });
    source.addEventListener("preview", (event) => {
      const { content_type, part, chunk, attempt } = JSON.parse(event.data);
      if (content_type.startsWith("audio/")) listening.fetchPart(id, part, { chunk, attempt });
      else showPreview(id);
    });
    source.onerror = refresh;
  }
  refresh();
}

const EVENT_TYPES = [
  "shot",
  "shots_done",
  "leased",
  "progress",
  "warning",
  "requeued",
  "committing",
  "succeeded",
  "failed",
  "canceled",
  "timed_out",
];

async function showPreview(id) {
  const image = $("preview");
  const blob = await call(`/v1/renders/${id}/preview`, { as: "blob" }).catch(() => null);
  if (!blob || $("job").dataset.id !== id || $("media").childElementCount > 0) return;
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  show(image, true);
}

/** The parts of a dialogue that is being made, one after another; sentences that were spoken again only the last time. */
const listening = {
  urls: [],
  places: [],
  at: 0,
  /** The sentences so far were heard: the next ones go on by themselves. */
  waits: false,
  over: false,

  async fetchPart(id, part, place) {
    this.places[part] = place;
    const blob = await call(`/v1/renders/${id}/preview/speech/${part}`, { as: "blob" }).catch(() => null);
    if (!blob || $("job").dataset.id !== id || this.urls[part]) return false;
    this.urls[part] = URL.createObjectURL(blob);
    const audio = $("first-sentences");
    if (this.replaced(this.at) && audio.paused && audio.currentTime === 0) this.skip();
    if (part === this.at) this.load();
    return true;
  },
  replaced(part) {
    const own = this.places[part];
    return own && this.places.some((other) => other?.chunk === own.chunk && other.attempt > own.attempt);
  },
  skip() {
    while (this.replaced(this.at)) this.at += 1;
  },
  async fetchNext(id) {
    while (await this.fetchPart(id, this.urls.length));
  },
  load() {
    const audio = $("first-sentences");
    audio.src = this.urls[this.at];
    show(audio, true);
    if (this.waits) audio.play().catch(() => {});
    this.waits = false;
  },
  next() {
    this.at += 1;
    this.skip();
    this.waits = true;
    if (this.urls[this.at]) this.load();
    else if (this.over) show($("first-sentences"), false);
  },
  /** Whoever listens may hear it to the end. */
  end() {
    this.over = true;
    if ($("first-sentences").paused) show($("first-sentences"), false);
  },
  reset() {
    for (const url of this.urls) URL.revokeObjectURL(url);
    const audio = $("first-sentences");
    audio.pause();
    show(audio, false);
    Object.assign(this, { urls: [], places: [], at: 0, waits: false, over: false });
  },
};

function history() {
  try {
    return JSON.parse(localStorage.getItem(HISTORY_KEY) ?? "[]");
  } catch {
    return [];
  }
}

function remember(job) {
  const text = job.spec?.clip?.prompt ?? job.spec?.speech?.lines?.[0]?.text ?? job.id;
  const list = [{ id: job.id, text, status: job.status }, ...history().filter((one) => one.id !== job.id)];
  localStorage.setItem(HISTORY_KEY, JSON.stringify(list.slice(0, 20)));
  showHistory();
}

function showHistory() {
  const list = history();
  show($("history-card"), list.length > 0);
  $("history").replaceChildren(
    ...list.map((one) => {
      const item = document.createElement("li");
      const text = document.createElement("span");
      text.className = "text";
      text.dir = "auto";
      text.textContent = one.text;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Show";
      button.setAttribute("aria-label", `Show ${one.text}`);
      button.addEventListener("click", () => open(one.id));
      item.append(text, button);
      return item;
    }),
  );
}

function open(id) {
  reset();
  $("job").dataset.id = id;
  window.history.replaceState(null, "", `#${id}`);
  watch(id);
}

function reset() {
  showError("");
  $("media").replaceChildren();
  $("downloads").replaceChildren();
  show($("warnings"), false);
  show($("same-seed"), false);
  show($("retry"), false);
  show($("shots-progress"), false);
  show($("preview"), false);
  listening.reset();
  show($("share"), false);
  show($("shared"), false);
}

async function share() {
  const path = `/form/jobs/${$("job").dataset.id}/share`;
  try {
    const { url, expires_at } = await call(path, {
      method: "POST",
      headers: { accept: "application/json" },
    });
    const until = new Date(expires_at).toLocaleDateString();
    const link = document.createElement("a");
    link.href = url;
    link.textContent = url;
    $("shared").replaceChildren(`Until ${until}, whoever has this link sees the clip: `, link);
    show($("shared"), true);
    await navigator.clipboard?.writeText(url).catch(() => {});
  } catch (error) {
    showError(error.message);
  }
}

/** Demo: the edge says whether the request is valid. A storyboard that is gets as far as there being no node. */
async function checkOnly(body, headers) {
  const path = form.kind.value === "storyboard" ? endpoint() : "/v1/estimate";
  await call(path, { method: "POST", headers, body }).catch((error) => {
    if (error.status !== 503) throw error;
  });
}

/** Long forms and phones have the result out of sight. */
function showResultCard() {
  const { top } = $("job").getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) $("job").scrollIntoView({ block: "start" });
}

async function submit(event) {
  event.preventDefault();
  reset();
  showResultCard();
  show($("empty"), false);
  $("generate").disabled = true;
  say("Sending …");
  const json = { "content-type": "application/json" };
  const body = JSON.stringify(requestBody());
  try {
    if (config.demo) {
      await checkOnly(body, json);
      $("generate").disabled = false;
      return say("Demo: these settings are valid. Nothing is rendered.");
    }
    const key = `"${crypto.getRandomValues(new Uint32Array(4)).join("-")}"`;
    const headers = { ...json, "idempotency-key": key };
    const job = await call(endpoint(), { method: "POST", headers, body });
    remember(job.shots ? asJob(job) : job);
    open(job.id);
  } catch (error) {
    $("generate").disabled = false;
    say("");
    showError(error.message);
  }
}

/** Where a key is needed, it is known only now whose characters there are besides. */
async function addOwnCharacters() {
  const { characters } = await call("/v1/characters").catch(() => ({ characters: [] }));
  for (const old of form.character.querySelectorAll("option[data-own]")) old.remove();
  for (const { name, label, registered, suggestions } of characters) {
    if (!registered || form.character.querySelector(`option[value="${name}"]`)) continue;
    config.suggestions[name] = suggestions;
    const option = new Option(label, name);
    option.dataset.own = "";
    form.character.append(option);
  }
}

/** The request as code; the key itself stays in the form. */
function code(language) {
  const url = location.origin + endpoint();
  const json = JSON.stringify(requestBody(), null, 2);
  const keyed = Boolean(form.api_key);
  if (language === "curl") {
    const auth = keyed ? ' \\\n  -H "Authorization: Bearer $CARTOON_API_KEY"' : "";
    return `curl -X POST ${url} \\\n  -H 'Content-Type: application/json'${auth} \\\n  -d '${json.replaceAll("'", "'\\''")}'`;
  }
  if (language === "typescript") {
    const auth = keyed ? ', authorization: "Bearer " + process.env.CARTOON_API_KEY' : "";
    return `const response = await fetch("${url}", {\n  method: "POST",\n  headers: { "content-type": "application/json"${auth} },\n  body: JSON.stringify(${json}),\n});\nconsole.log(await response.json());`;
  }
  const auth = keyed ? ', "Authorization": "Bearer " + os.environ["CARTOON_API_KEY"]' : "";
  return `import json, os, urllib.request\n\nbody = json.loads(${JSON.stringify(JSON.stringify(requestBody()))})\nrequest = urllib.request.Request("${url}", json.dumps(body).encode(), {"Content-Type": "application/json"${auth}})\nprint(json.load(urllib.request.urlopen(request)))`;
}

for (const button of document.querySelectorAll("button[data-copy]"))
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code(button.dataset.copy));
    say(`Copied as ${button.textContent}.`);
  });
$("cancel").addEventListener("click", async () => {
  try {
    await call(`/v1/renders/${$("job").dataset.id}/cancel`, { method: "POST" });
    say("Canceling …");
  } catch (error) {
    showError(error.message);
  }
});
$("first-sentences").addEventListener("ended", () => listening.next());
$("dice").addEventListener("click", () => {
  form.seed.value = String(Math.floor(Math.random() * 2 ** 31));
});
$("retry").addEventListener("click", async () => {
  const { id } = $("job").dataset;
  try {
    await call(`/v1/storyboards/${id}/retry`, { method: "POST" });
    open(id);
  } catch (error) {
    showError(error.message);
  }
});
$("share").addEventListener("click", share);
$("same-seed").addEventListener("click", (event) => {
  form.seed.value = event.currentTarget.dataset.seed;
  form.requestSubmit();
});
form.addEventListener("submit", submit);
form.addEventListener("input", showOutputs);
form.character.addEventListener("change", followCharacter);
form.api_key?.addEventListener("change", addOwnCharacters);
for (const element of document.querySelectorAll(".needs-script")) show(element, true);
showSuggestions();
showOutputs();
showHistory();
if (/^#job_[\w-]+$/.test(location.hash)) open(location.hash.slice(1));
