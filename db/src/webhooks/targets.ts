/** How a delivery is worded and signed: Standard Webhooks, or the way of the dialect that asked for it. */
export type WebhookStyle = string;

/** An address that hears of a job. */
export interface WebhookTarget {
  url: string;
  /** Default: `standard`. */
  style?: WebhookStyle;
  /** Signing secret; kept sealed, needs the database's secret key. */
  secret?: string;
  /** Event types, e.g. `succeeded`; default: the four terminal ones. */
  events?: string[];
}
