import {
  configure,
  getConsoleSink,
  getLogger,
  jsonLinesFormatter,
  type LogRecord,
  type Logger as TapeLogger,
} from "@logtape/logtape";

const SECRET_KEYS =
  /^(authorization|x-api-key|cookie|key|secret|secrets|token|put_url|get_url|putUrl|getUrl|signature|storageKey|s3Config|access_?id|access_?secret|secret_?access_?key)$/i;

/** The logger of the edge. Records are structured: ids and numbers are fields, not words. */
export const log: TapeLogger = getLogger(["cartoon", "edge"]);

/** A value as it may be logged: secrets masked, errors with their causes, no deeper than four levels. */
export function redact(value: unknown, depth = 0): unknown {
  if (value instanceof Error)
    return {
      name: value.name,
      message: value.message,
      stack: value.stack,
      ...(value.cause === undefined || depth > 2 ? {} : { cause: redact(value.cause, depth + 1) }),
    };
  if (typeof value !== "object" || value === null || depth > 3) return value;
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SECRET_KEYS.test(key) ? "[secret]" : redact(item, depth + 1),
    ]),
  );
}

function formatLine(record: LogRecord): string {
  const properties = redact(record.properties) as Record<string, unknown>;
  return jsonLinesFormatter({ ...record, properties });
}

function formatForPeople(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const properties = redact(record.properties) as Record<string, unknown>;
  const fields = Object.entries(properties)
    .map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(" ");
  return `${time} ${record.level.padEnd(7)} ${record.message.join("")} ${fields}\n`;
}

/** Sets the process's logging up: readable lines in development, JSON lines elsewhere. */
export async function configureLogging(options: {
  debug: boolean;
  json: boolean;
  quiet?: boolean;
}): Promise<void> {
  const write = getConsoleSink({
    formatter: (record) => (options.json ? formatLine(record) : formatForPeople(record)).trimEnd(),
  });
  await configure({
    reset: true,
    sinks: { console: write },
    loggers: [
      { category: ["logtape", "meta"], sinks: ["console"], lowestLevel: "error" },
      {
        category: ["cartoon"],
        sinks: options.quiet ? [] : ["console"],
        lowestLevel: options.debug ? "debug" : "info",
      },
    ],
  });
}
