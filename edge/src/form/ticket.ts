import { z } from "zod";
import { isSignature, sign } from "../auth/signature.ts";

/** `show`: see one result; `follow`: also cancel it and share it, as whoever submitted it may. */
export type TicketUse = "show" | "follow";

const Ticket = z.object({
  use: z.enum(["show", "follow"]),
  id: z.string(),
  /** Unix seconds. */
  exp: z.int(),
});
export type Ticket = z.infer<typeof Ticket>;

const signedText = (payload: string) => `form-ticket\n${payload}`;

/** A text for URLs that opens one job's page until it expires, to whoever holds it. */
export function issueTicket(secret: string, ticket: Ticket): string {
  const payload = Buffer.from(JSON.stringify(ticket)).toString("base64url");
  return `${payload}.${sign(secret, signedText(payload))}`;
}

/** The ticket, or undefined where the signature, the time or the use is not right. */
export function readTicket(
  secret: string,
  text: string,
  uses: readonly TicketUse[],
  nowMs = Date.now(),
): Ticket | undefined {
  const [payload = "", mac = ""] = text.split(".");
  if (!isSignature(mac, secret, signedText(payload))) return undefined;
  const ticket = Ticket.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
  return uses.includes(ticket.use) && ticket.exp * 1000 > nowMs ? ticket : undefined;
}
