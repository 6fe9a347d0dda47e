/** Bytes on a bare TCP connection, for requests that no client library would send. */
import { connect } from "node:net";

export interface RawOptions {
  readonly port: number;
  /** Written in order; a number waits so many milliseconds. */
  readonly parts: readonly (string | Uint8Array | number)[];
  /** Give up after this. */
  readonly timeoutMs?: number;
  /** Stop reading once this matches what came. */
  readonly until?: RegExp;
}

/** @returns everything the server wrote until it closed, or `until` matched, or time was up */
export function rawExchange({ port, parts, timeoutMs = 5_000, until }: RawOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    let text = "";
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(done, timeoutMs);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (until?.test(text)) done();
    });
    socket.on("close", done).on("error", done);
    socket.on("connect", () => void write());
    async function write() {
      for (const part of parts) {
        if (typeof part === "number") await new Promise((next) => setTimeout(next, part));
        else if (socket.writable) socket.write(part);
      }
    }
  });
}
