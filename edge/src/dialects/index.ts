import type { App } from "../hono.ts";
import type { Services } from "../services.ts";
import { registerCog } from "./cog/index.ts";
import { registerFal } from "./fal/index.ts";
import { registerGradio } from "./gradio/index.ts";
import { registerMcp } from "./mcp/index.ts";
import { registerNative } from "./native/index.ts";
import { registerOpenAi } from "./openai/index.ts";
import { registerRunpod } from "./runpod/index.ts";
import { registerV5 } from "./v5/index.ts";

/** A way in: parses its own requests to a `RenderSpec`, answers in its own shape. One line each. */
export const DIALECTS: readonly ((app: App, services: Services) => void)[] = [
  registerNative,
  registerV5,
  registerOpenAi,
  registerCog,
  registerFal,
  registerGradio,
  registerRunpod,
  registerMcp,
];
