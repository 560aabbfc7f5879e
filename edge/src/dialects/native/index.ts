import type { App } from "../../hono.ts";
import type { Services } from "../../services.ts";
import { registerNativeCharacters } from "./characters.ts";
import { registerControl } from "./control.ts";
import { registerEstimate } from "./estimate.ts";
import { registerEvents } from "./events.ts";
import { registerRead } from "./read.ts";
import { registerResults } from "./results.ts";
import { registerStoryboards } from "./storyboards.ts";
import { registerSubmit } from "./submit.ts";
import { registerWebhooks } from "./webhooks.ts";

/** `/v1`: this service's own API. */
export function registerNative(app: App, services: Services): void {
  registerSubmit(app, services);
  registerRead(app, services);
  registerEvents(app, services);
  registerResults(app, services);
  registerControl(app, services);
  registerEstimate(app, services);
  registerWebhooks(app, services);
  registerStoryboards(app, services);
  registerNativeCharacters(app, services);
}
