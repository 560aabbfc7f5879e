import { html } from "hono/html";
import { layout } from "./layout.ts";

/** What the page of one job shows. */
export interface JobView {
  id: string;
  status: string;
  over: boolean;
  /** 0 to 1. */
  progress: number;
  stage: string;
  error?: string;
  results: { name: string; url: string }[];
  warnings: { field: string; given: string; used: string; rule: string }[];
}

/** The page of one job for browsers without JavaScript: it reloads itself until the job is over. */
export function jobPage(job: JobView) {
  const result = (name: string) => job.results.find((one) => one.name === name)?.url;
  const clip = result("clip.mp4");
  const captions = result("captions.vtt");
  const gif = result("clip.gif");
  const speech = result("speech.wav");
  return layout({
    title: `Clip ${job.status} – Cartoon Animation Worker`,
    head: job.over ? undefined : html`<meta http-equiv="refresh" content="2">`,
    body: html`<main id="main"><section class="card" aria-label="Result">
  <h2>${job.over ? "Result" : "Working"}</h2>
  <p role="status">${job.status}${job.stage && !job.over ? `, ${job.stage}` : ""}</p>
  ${job.over ? "" : html`<progress max="1" value="${job.progress}" aria-label="Progress of the render"></progress>`}
  ${job.error ? html`<p class="error" role="alert">${job.error}</p>` : ""}
  <div class="media">
  ${
    clip
      ? html`<figure><video controls src="${clip}" ${result("poster.png") ? html`poster="${result("poster.png")}"` : ""}>${
          captions
            ? html`<track kind="captions" label="Dialogue" srclang="en" src="${captions}" default>`
            : ""
        }</video></figure>`
      : ""
  }
  ${gif ? html`<figure><img src="${gif}" alt="The clip as a GIF"></figure>` : ""}
  ${speech ? html`<figure><audio controls src="${speech}"></audio></figure>` : ""}
  </div>
  <div class="links">${job.results.map((one) => html`<a class="button" href="${one.url}" download="${one.name}">${one.name}</a>`)}</div>
  <ul class="warnings">${job.warnings.map((one) => html`<li>${one.field}: ${one.given} → ${one.used} (${one.rule})</li>`)}</ul>
  ${job.over ? "" : html`<form method="post" action="/form/jobs/${job.id}/cancel"><button type="submit">Cancel</button></form>`}
</section></main>`,
  });
}
