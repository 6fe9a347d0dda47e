/**
 * Everything the commands take from the outside: streams, environment, folder, clock, interruption.
 *
 * Invariant: no command touches `process` itself; tests run the whole program with a host of their own.
 */
import type { Readable } from "node:stream";
import type { TextSink } from "./output.ts";

export interface CliHost {
  /** The terminal itself, when stdin and stdout are one: for what draws (chat). */
  readonly terminal: NodeJS.WriteStream | undefined;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs when the person interrupts; returns how to take it back. The program waits a few seconds for it, then ends with 130. */
  onInterrupt(cleanup: () => Promise<void> | void): () => void;
  /** For `up`: signals go to `handler` alone from now on. */
  takeSignals(handler: (signal: "SIGINT" | "SIGTERM" | "SIGHUP") => void): void;
}
