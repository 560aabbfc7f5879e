import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";

/** `show`: see one result; `follow`: also cancel it and share it, as whoever submitted it may. */
export type TicketUse = "show" | "follow";

const Ticket = z.object({
  use: z.enum(["show", "follow"]),
  id: z.string(),
  /** Unix seconds. */
  exp: z.int(),
});
export type Ticket = z.infer<typeof Ticket>;

const sign = (secret: string, payload: string) =>
  createHmac("sha256", secret).update(`form-ticket\n${payload}`).digest("base64url");

/** A text for URLs that opens one job's page until it expires, to whoever holds it. */
export function issueTicket(secret: string, ticket: Ticket): string {
  const payload = Buffer.from(JSON.stringify(ticket)).toString("base64url");
  return `${payload}.${sign(secret, payload)}`;
}

/** The ticket, or undefined where the signature, the time or the use is not right. */
export function readTicket(
  secret: string,
  text: string,
  uses: readonly TicketUse[],
  nowMs = Date.now(),
): Ticket | undefined {
  const [payload = "", mac = ""] = text.split(".");
  const given = Buffer.from(mac);
  const expected = Buffer.from(sign(secret, payload));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const ticket = Ticket.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
  return uses.includes(ticket.use) && ticket.exp * 1000 > nowMs ? ticket : undefined;
}
