import { html } from "hono/html";
import { layout } from "./layout.ts";

/** What the page of one job shows. */
export interface JobView {
  status: string;
  over: boolean;
  /** 0 to 1. */
  progress: number;
  stage: string;
  error?: string;
  text?: string;
  /** Of a storyboard. */
  shots?: { prompt: string; status: string; progress: number; error?: string }[];
  results: { name: string; url: string; download_url: string }[];
  warnings: { field: string; given: string; used: string; rule: string }[];
}

/** Where the buttons of the page lead; a page that only shows has none. */
export interface JobActions {
  cancel: string;
  share: string;
  /** Of a storyboard. */
  retry?: string;
}

const shotList = (shots: NonNullable<JobView["shots"]>) =>
  html`<ol class="history" aria-label="Shots" id="shots-progress">${shots.map(
    (
      shot,
      index,
    ) => html`<li><span class="text" dir="auto">${index + 1}. ${shot.prompt}</span><span>${shot.status}</span>
    <progress max="1" value="${shot.progress}" aria-label="Progress of shot ${index + 1}"></progress>
    ${shot.error ? html`<p class="error">${shot.error}</p>` : ""}</li>`,
  )}</ol>`;

function media(job: JobView) {
  const result = (name: string) => job.results.find((one) => one.name === name)?.url;
  const [clip, captions, poster] = [result("clip.mp4"), result("captions.vtt"), result("poster.png")];
  const [gif, speech] = [result("clip.gif"), result("speech.wav")];
  const track = captions
    ? html`<track kind="captions" label="Dialogue" srclang="en" src="${captions}" default>`
    : "";
  return html`<div class="media">
  ${clip ? html`<figure><video controls src="${clip}" ${poster ? html`poster="${poster}"` : ""}>${track}</video></figure>` : ""}
  ${gif ? html`<figure class="small"><img src="${gif}" alt="The clip as a GIF"></figure>` : ""}
  ${speech ? html`<figure><audio controls src="${speech}" aria-label="The voices"></audio></figure>` : ""}
  </div>`;
}

/** The page of one job, for browsers without JavaScript and for shared results: reloads itself until the job is over. */
export function jobPage(job: JobView, actions?: JobActions) {
  const button = (to: string, label: string) =>
    html`<form method="post" action="${to}"><button type="submit">${label}</button></form>`;
  return layout({
    title: `Clip ${job.status} – Cartoon Animation Worker`,
    head: job.over ? undefined : html`<meta http-equiv="refresh" content="2">`,
    body: html`<main id="main" class="one"><section class="card" aria-label="Result">
  <h2>${job.over ? "Result" : "Working"}</h2>
  <p role="status">${job.status}${job.stage && !job.over ? `, ${job.stage}` : ""}</p>
  ${job.text ? html`<p dir="auto">${job.text}</p>` : ""}
  ${job.over ? "" : html`<progress max="1" value="${job.progress}" aria-label="Progress of the render"></progress>`}
  ${job.shots ? shotList(job.shots) : ""}
  ${job.error ? html`<p class="error" role="alert">${job.error}</p>` : ""}
  ${media(job)}
  <div class="links">${job.results.map((one) => html`<a class="button" href="${one.download_url}" download="${one.name}">${one.name}</a>`)}</div>
  <ul class="warnings">${job.warnings.map((one) => html`<li>${one.field}: ${one.given} → ${one.used} (${one.rule})</li>`)}</ul>
  ${actions && !job.over ? button(actions.cancel, "Cancel") : ""}
  ${actions && job.status === "succeeded" ? button(actions.share, "Share") : ""}
  ${actions?.retry && job.over && job.status !== "succeeded" ? button(actions.retry, "Make it after all") : ""}
</section></main>`,
  });
}
