/**
 * `wasi:cli`: standard output and error become lines of the invocation's log; there is no input, environment, argument or terminal.
 *
 * Invariant: a line reaches the log when it is complete, when it is as long as a line may be, or when the guest ends, so that the last words
 * of a guest that fails are there.
 */
import type { GuestFace } from "./guest-face.ts";
import { InputStream, OutputStream, type Sink } from "./streams.ts";

const lineMaxChars = 4_096;

class LineWriter implements Sink {
  readonly #face: GuestFace;
  readonly #level: "info" | "warn";
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(face: GuestFace, level: "info" | "warn") {
    this.#face = face;
    this.#level = level;
  }

  isOpen(): boolean {
    return true;
  }

  write(bytes: Uint8Array): void {
    const lines = (this.#text + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) this.#log(line);
    if (this.#text.length > lineMaxChars) this.flush();
  }

  flush(): void {
    const text = this.#text;
    this.#text = "";
    this.#log(text);
  }

  #log(line: string): void {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (text !== "") this.#face.log(this.#level, text);
  }
}

/** A terminal; there is none. */
class Terminal {}

export interface Stdio {
  /** By interface. */
  readonly imports: Readonly<Record<string, object>>;
  /** Writes what has no end of line yet. */
  flush(): void;
}

export function createStdio(face: GuestFace): Stdio {
  const out = new LineWriter(face, "info");
  const error = new LineWriter(face, "warn");
  const noTerminal = (): undefined => undefined;
  return {
    imports: {
      "wasi:cli/environment": { getEnvironment: () => [], getArguments: () => [], initialCwd: () => undefined },
      "wasi:cli/exit": { exit: () => face.exit(), exitWithCode: () => face.exit() },
      "wasi:cli/stdin": { getStdin: () => new InputStream(face, new Uint8Array()) },
      "wasi:cli/stdout": { getStdout: () => new OutputStream(face, out) },
      "wasi:cli/stderr": { getStderr: () => new OutputStream(face, error) },
      "wasi:cli/terminal-input": { TerminalInput: Terminal },
      "wasi:cli/terminal-output": { TerminalOutput: Terminal },
      "wasi:cli/terminal-stdin": { getTerminalStdin: noTerminal },
      "wasi:cli/terminal-stdout": { getTerminalStdout: noTerminal },
      "wasi:cli/terminal-stderr": { getTerminalStderr: noTerminal },
    },
    flush() {
      out.flush();
      error.flush();
    },
  };
}
