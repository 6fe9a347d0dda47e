/**
 * The log of one invocation: lines of the guest, and of the platform about the guest.
 *
 * Invariant: at most `maxBytes` of lines are kept, whatever their number and length; what is dropped is counted and said in one last line. Lines of the
 * platform (a denied capability) have a small room of their own, so a guest cannot push them out. A line is one line: `printable-text.ts`.
 */
import type { LogLine } from "@althing/contract";
import { printableText } from "./printable-text.ts";

export type LogLevel = LogLine["level"];

export interface GuestLog {
  /** A line of the guest. */
  write(level: LogLevel, message: string): void;
  /** A line of the platform. */
  note(level: LogLevel, message: string): void;
  /** All lines in order, and one that says how many were dropped. */
  lines(): readonly LogLine[];
}

export interface GuestLogOptions {
  readonly maxBytes: number;
  /** Milliseconds since the invocation began. */
  readonly elapsedMs: () => number;
  /** Takes secrets out of a text. */
  readonly conceal: (text: string) => string;
}

export const logLineMaxChars = 4_096;
/** What a line costs beyond its text: time, level, punctuation. */
const lineOverheadBytes = 64;
const notesMaxBytes = 8 * 1_024;

export function createGuestLog(options: GuestLogOptions): GuestLog {
  const kept: LogLine[] = [];
  const rooms = { guest: options.maxBytes, platform: notesMaxBytes };
  let dropped = 0;

  function add(room: keyof typeof rooms, level: LogLevel, text: string): void {
    // Secrets first: a cut or an escape in the middle of one would hide it from the search.
    const message = printableText(options.conceal(text), logLineMaxChars);
    const bytes = Buffer.byteLength(message) + lineOverheadBytes;
    if (bytes > rooms[room]) {
      dropped++;
      return;
    }
    rooms[room] -= bytes;
    kept.push({ at: Math.round(options.elapsedMs() * 1_000) / 1_000, level, message });
  }

  return {
    write: (level, message) => add("guest", level, message),
    note: (level, message) => add("platform", level, message),
    lines() {
      if (dropped === 0) return kept;
      const message = `${dropped} more ${dropped === 1 ? "line was" : "lines were"} dropped: a log holds ${options.maxBytes} bytes`;
      return [...kept, { at: kept.at(-1)?.at ?? 0, level: "warn", message }];
    },
  };
}
