import { cancel, getJob, getStoryboard, type Job, type Reader, retry } from "@cartoon/db";
import { isTerminal } from "@cartoon/protos";
import type { Context } from "hono";
import { ApiError } from "../errors/table.ts";
import type { App, AppEnv } from "../hono.ts";
import { checkScope } from "../middleware/require-scope.ts";
import { linksFor } from "../renders/links.ts";
import { toRender } from "../renders/view.ts";
import type { Services } from "../services.ts";
import { toStoryboard } from "../storyboards/view.ts";
import { type JobActions, jobPage } from "./job-page.ts";
import { issueTicket, readTicket } from "./ticket.ts";

const SHARED_SECONDS = 7 * 86_400;
const FOLLOWED_SECONDS = 86_400;

/** Where a browser without JavaScript follows its job; the ticket stands in for the key that it can't send again. */
export function followUrl(services: Services, job: Job): string {
  const exp = Math.floor(Date.now() / 1000) + FOLLOWED_SECONDS;
  const ticket = { use: "follow", id: job.id, exp } as const;
  return `/form/jobs/${job.id}?ticket=${issueTicket(services.secret, ticket)}`;
}

/** Pages of one job: to follow it without JavaScript, and to show it to others. */
export function registerJobPages(app: App, services: Services): void {
  const { db, secret } = services;

  /** As whom the job is read: by the ticket in the URL, else by the key. */
  function readerOf(c: Context<AppEnv>, scope: "read" | "cancel" | "render"): Reader {
    const ticket = readTicket(secret, c.req.query("ticket") ?? "", ["follow"]);
    if (ticket && ticket.id === c.req.param("id")) return { operator: true };
    return { tenant: checkScope(c.get("principal"), scope).tenant };
  }

  async function storyboardOf(c: Context<AppEnv>, job: Job) {
    const found = await getStoryboard(db, { operator: true }, job.id);
    const { status, stage, progress, shots } = await toStoryboard(found, linksFor(services, c.get("origin")));
    const shown = shots.map((shot) => ({ ...shot, error: shot.error?.message }));
    return { status, stage, progress, shots: shown };
  }

  async function show(c: Context<AppEnv>, job: Awaited<ReturnType<typeof getJob>>, actions?: JobActions) {
    const render = await toRender(job, linksFor(services, c.get("origin")));
    c.header("cache-control", "no-store");
    const text = job.spec.clip?.prompt ?? job.spec.join?.title;
    const view = { ...render, text, over: isTerminal(job.status), error: render.error?.message };
    return c.html(
      await jobPage(job.spec.join ? { ...view, ...(await storyboardOf(c, job)) } : view, actions),
    );
  }

  app.get("/form/jobs/:id", async (c) => {
    const job = await getJob(db, readerOf(c, "read"), c.req.param("id"));
    const query = new URL(c.req.url).search;
    const to = (verb: string) => `/form/jobs/${c.req.param("id")}/${verb}${query}`;
    const again = job.spec.join ? { retry: to("retry") } : {};
    return show(c, job, { cancel: to("cancel"), share: to("share"), ...again });
  });

  app.post("/form/jobs/:id/cancel", async (c) => {
    const id = c.req.param("id");
    await cancel(db, readerOf(c, "cancel"), id);
    return c.redirect(`/form/jobs/${id}${new URL(c.req.url).search}`, 303);
  });

  app.post("/form/jobs/:id/retry", async (c) => {
    const id = c.req.param("id");
    await retry(db, readerOf(c, "render"), id);
    return c.redirect(`/form/jobs/${id}${new URL(c.req.url).search}`, 303);
  });

  app.post("/form/jobs/:id/share", async (c) => {
    const job = await getJob(db, readerOf(c, "read"), c.req.param("id"));
    if (job.status !== "succeeded") throw new ApiError("not_ready", `the render is ${job.status}`);
    const until = Math.min(
      Date.now() + SHARED_SECONDS * 1000,
      job.resultsExpireAt ?? Number.POSITIVE_INFINITY,
    );
    const exp = Math.floor(until / 1000);
    const path = `/s/${job.id}?ticket=${issueTicket(secret, { use: "show", id: job.id, exp })}`;
    if (!(c.req.header("accept") ?? "").includes("application/json")) return c.redirect(path, 303);
    return c.json({ url: c.get("origin") + path, expires_at: new Date(exp * 1000).toISOString() });
  });

  // The ticket stays in the query, which is never logged.
  app.get("/s/:id", async (c) => {
    const ticket = readTicket(secret, c.req.query("ticket") ?? "", ["show"]);
    if (ticket?.id !== c.req.param("id"))
      throw new ApiError("bad_signature", "this link is not valid, or has expired");
    c.header("x-robots-tag", "noindex");
    return show(c, await getJob(db, { operator: true }, c.req.param("id")));
  });
}
