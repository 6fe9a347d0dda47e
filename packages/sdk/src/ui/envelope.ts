/**
 * What host page and extension page say to each other over their one port.
 *
 * Invariant: every message is `{althing: true, v: 1, id, type, payload}`; an answer carries the id of its question. What does not fit is dropped without a
 * word: the other side may be newer, or not ours. docs/architecture/extension-abi.md.
 */
export const messageTypes = ["ready", "resize", "navigate", "call", "theme", "toast"] as const;
export type MessageType = (typeof messageTypes)[number];

export interface Envelope {
  readonly althing: true;
  readonly v: 1;
  readonly id: string;
  readonly type: MessageType;
  readonly payload: unknown;
}

function isMessageType(value: unknown): value is MessageType {
  return messageTypes.some((type) => type === value);
}

/** `undefined`: not one of our messages. */
export function readEnvelope(value: unknown): Envelope | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { althing, v, id, type, payload } = value as Readonly<Record<string, unknown>>;
  if (althing !== true || v !== 1 || typeof id !== "string" || id.length > 64 || !isMessageType(type)) return undefined;
  return { althing, v, id, type, payload };
}

export function envelope(id: string, type: MessageType, payload: unknown): Envelope {
  return { althing: true, v: 1, id, type, payload };
}

export interface Theme {
  readonly scheme: "light" | "dark";
  /** Custom properties of the host's design, by name without `--althing-`: `{accent: "#2b6"}`. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** `undefined`: no theme. Names and values that could leave a declaration are dropped. */
export function readTheme(value: unknown): Theme | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { scheme, tokens } = value as Readonly<Record<string, unknown>>;
  if (scheme !== "light" && scheme !== "dark") return undefined;
  const entries = Object.entries(typeof tokens === "object" && tokens !== null ? tokens : {}).filter(
    (entry): entry is [string, string] =>
      /^[a-z][a-z0-9-]{0,40}$/.test(entry[0]) && typeof entry[1] === "string" && /^[^;{}\\]{1,200}$/.test(entry[1]),
  );
  return { scheme, tokens: Object.fromEntries(entries) };
}
