/**
 * The screen of the terminal chat: lines above, one prompt below.
 *
 * Invariant: a line that arrives while somebody types never damages what was typed: the prompt is taken away, the line written, the prompt drawn
 * again with its text and cursor. Plain readline instead of a full-screen mode, so that the terminal's own scroll-back, search and copy go
 * on working, in tmux too. Without a terminal (pipes, tests) lines are just printed.
 */
import { clearScreenDown, createInterface, cursorTo, moveCursor, type Interface } from "node:readline";
import type { CliHost } from "../host.ts";
import { safeText } from "../terminal-text.ts";

export interface ChatView {
  print(text: string): void;
  setPrompt(text: string): void;
  /** Every line the person enters, until `close`. */
  onLine(handler: (line: string) => void): void;
  onClose(handler: () => void): void;
  close(): void;
}

export interface ChatViewOptions {
  readonly host: CliHost;
  /** What Tab offers for the line so far. */
  readonly complete: (line: string) => string[];
}

export function openChatView({ host, complete }: ChatViewOptions): ChatView {
  return host.terminal === undefined ? plainView(host) : terminalView(host, host.terminal, complete);
}

function plainView(host: CliHost): ChatView {
  const reader = createInterface({ input: host.stdin });
  return {
    print: (text) => void host.stdout.write(`${safeText(text)}\n`),
    setPrompt: () => undefined,
    onLine: (handler) => void reader.on("line", handler),
    onClose: (handler) => void reader.on("close", handler),
    close: () => reader.close(),
  };
}

function erasePrompt(reader: Interface, terminal: NodeJS.WriteStream): void {
  moveCursor(terminal, 0, -reader.getCursorPos().rows);
  cursorTo(terminal, 0);
  clearScreenDown(terminal);
}

function terminalView(host: CliHost, terminal: NodeJS.WriteStream, complete: (line: string) => string[]): ChatView {
  const reader = createInterface({
    input: host.stdin,
    output: terminal,
    terminal: true,
    historySize: 200,
    completer: (line: string) => [complete(line), line],
  });
  let closed = false;
  reader.on("close", () => (closed = true));
  return {
    print(text) {
      if (closed) return;
      erasePrompt(reader, terminal);
      terminal.write(`${safeText(text)}\n`);
      reader.prompt(true);
    },
    setPrompt(text) {
      if (closed) return;
      erasePrompt(reader, terminal);
      reader.setPrompt(safeText(text));
      reader.prompt(true);
    },
    onLine(handler) {
      reader.on("line", (line) => {
        // The typed line leaves the screen; it comes back as a message once it is confirmed.
        const rows = Math.floor((reader.getPrompt().length + line.length) / Math.max(1, terminal.columns)) + 1;
        moveCursor(terminal, 0, -rows);
        cursorTo(terminal, 0);
        clearScreenDown(terminal);
        handler(line);
        reader.prompt(true);
      });
    },
    onClose: (handler) => void reader.on("close", handler),
    close() {
      if (closed) return;
      erasePrompt(reader, terminal);
      reader.close();
    },
  };
}
