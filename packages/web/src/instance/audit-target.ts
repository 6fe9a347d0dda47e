/**
 * What an entry of the audit was about, for people: short texts, and behind them what the log holds.
 *
 * Invariant: nothing of an entry is lost: a value that is shown shortened carries its whole text. The log keeps the first 500 characters of a value, so that
 * JSON in it may end in the middle.
 */
export interface TargetRow {
  readonly name: string;
  readonly text: string;
  /** What it was shortened from, in lines where that can be. */
  readonly whole?: string;
}

const shownMax = 3;
/** In JSON that was cut off there is still what things are called. */
const named = /"(?:id|handle|name)":"((?:[^"\\]|\\.)*)"/g;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  if (!isRecord(value)) return String(value);
  const own = [value["id"], value["handle"], value["name"]].find((one) => typeof one === "string");
  return typeof own === "string" ? own : JSON.stringify(value);
}

const inShort = (names: readonly string[]): string =>
  names.length > shownMax ? `${names.slice(0, shownMax).join(", ")} … (${names.length})` : names.join(", ");

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function rowOf(name: string, value: string): TargetRow | undefined {
  if (!/^[[{]/.test(value)) return { name, text: value };
  const found = parsed(value);
  if (found === undefined) {
    const names = [...value.matchAll(named)].flatMap(([, text = ""]) => text);
    return { name, text: names.length === 0 ? `${value.slice(0, 60)}…` : inShort(names), whole: value };
  }
  const names = Array.isArray(found) ? found.map(nameOf) : isRecord(found) ? Object.keys(found) : [value];
  if (names.length === 0) return undefined;
  const isPlain = Array.isArray(found) && found.every((one) => !isRecord(one)) && names.length <= shownMax;
  return { name, text: inShort(names), ...(isPlain ? {} : { whole: JSON.stringify(found, undefined, 2) }) };
}

/** Without values that say nothing. */
export function targetRows(target: Readonly<Record<string, string>>): readonly TargetRow[] {
  return Object.entries(target).flatMap(([name, value]) => rowOf(name, value) ?? []);
}
