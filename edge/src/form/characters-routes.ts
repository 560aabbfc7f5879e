import { deleteCharacter } from "@cartoon/db";
import type { Context } from "hono";
import { principalOfToken } from "../auth/authenticate.ts";
import type { Principal, Scope } from "../auth/principal.ts";
import { fieldsOfForm } from "../characters/form-fields.ts";
import { registerCharacter } from "../characters/register.ts";
import { isForm, readUpload } from "../characters/upload.ts";
import { toApiError } from "../errors/problem.ts";
import { ApiError } from "../errors/table.ts";
import type { App, AppEnv } from "../hono.ts";
import { checkScope } from "../middleware/require-scope.ts";
import type { Services } from "../services.ts";
import { type CharactersState, charactersPage } from "./characters-page.ts";
import type { FormModel } from "./form-page.ts";

type ModelOf = (c: Context<AppEnv>) => Promise<FormModel>;

/** The characters page: it works without JavaScript, and with a key in the form where keys are needed. */
export function registerCharactersPage(
  app: App,
  services: Services,
  { modelOf, messageOf }: { modelOf: ModelOf; messageOf: (error: ApiError) => string },
): void {
  const whose = async (c: Context<AppEnv>, key: string | undefined, scope: Scope): Promise<Principal> =>
    checkScope(c.get("principal") ?? (await principalOfToken(services.db, key)), scope);

  async function show(
    c: Context<AppEnv>,
    principal: Principal | undefined,
    state: Partial<CharactersState> = {},
  ) {
    const own = principal && (await services.characters.of(principal.tenant));
    c.header("cache-control", "no-store");
    const whole = { own, values: {}, error: "", done: "", ...state };
    return c.html(await charactersPage(await modelOf(c), whole));
  }

  async function refused(c: Context<AppEnv>, thrown: unknown, values: Record<string, string> = {}) {
    const error = toApiError(thrown, c.get("requestId"));
    c.status(error.status as 422);
    return show(c, c.get("principal"), { values, error: messageOf(error) });
  }

  app.get("/characters", (c) => show(c, c.get("principal")));

  app.post("/characters", async (c) => {
    let values: Record<string, string> = {};
    try {
      checkSite(c);
      c.env?.holdOpen?.();
      if (!isForm(c.req.header("content-type")))
        throw new ApiError("unsupported_media_type", "the form must be multipart/form-data");
      let principal: Principal | undefined;
      const upload = await readUpload(services, c.req.raw, async (fields) => {
        principal ??= await whose(c, fields.get("api_key")?.[0], "render");
      });
      try {
        const { api_key: _key, ...shown } = Object.fromEntries(
          [...upload.fields].map(([name, [value = ""]]) => [name, value]),
        );
        values = shown;
        upload.fields.delete("api_key");
        if (!principal) throw new Error("nobody has asked for the principal");
        const { tenant } = principal;
        const { character, created } = await registerCharacter(
          services,
          tenant,
          fieldsOfForm(upload.fields),
          upload.files,
        );
        c.status(created ? 201 : 200);
        return show(c, principal, { done: `${character.name} is ${created ? "registered" : "replaced"}.` });
      } finally {
        await upload.discard();
      }
    } catch (thrown) {
      return refused(c, thrown, values);
    }
  });

  app.post("/characters/list", async (c) => {
    try {
      const { api_key: key } = await c.req.parseBody();
      return show(c, await whose(c, typeof key === "string" ? key : undefined, "read"));
    } catch (thrown) {
      return refused(c, thrown);
    }
  });

  app.post("/characters/:name/delete", async (c) => {
    try {
      checkSite(c);
      const { api_key: key } = await c.req.parseBody();
      const principal = await whose(c, typeof key === "string" ? key : undefined, "render");
      await deleteCharacter(services.db, principal.tenant, c.req.param("name"));
      return show(c, principal, { done: `${c.req.param("name")} is deleted.` });
    } catch (thrown) {
      return refused(c, thrown);
    }
  });
}

/** Where no key is needed, a page of another site could send these forms, too. */
function checkSite(c: Context<AppEnv>): void {
  if (c.req.header("sec-fetch-site") === "cross-site")
    throw new ApiError("forbidden", "this form was sent by a page of another site");
}
