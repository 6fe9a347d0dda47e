import { headers as newHeaders, type MsgHdrs } from "@nats-io/nats-core";
import { describe, expect, it, vi } from "vitest";
import { echoPlace, placeAtEnd, type EchoMessage } from "./echo-place.ts";

const own = (seq: string, previous: string) =>
  `Nats-Stream: ROOMS\r\nNats-Subject: r.1.x\r\nNats-Sequence: ${seq}\r\nNats-Time-Stamp: 2026-01-02T03:04:05.678Z\r\nNats-Last-Sequence: ${previous}\r\n`;

/** As the library reads it: names and values in their order, of any form. */
function parsed(block: string): MsgHdrs {
  const made = newHeaders();
  for (const line of block.split("\r\n").slice(1, -2)) {
    const colon = line.indexOf(":");
    made.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return made;
}

function message(block: string): EchoMessage & { readonly read: () => number } {
  const whole = new TextEncoder().encode(`HMSG s.1.x 1 9 9\r\n${block}payload`);
  const data = whole.subarray(whole.length - "payload".length);
  const read = vi.fn(() => (block === "" ? undefined : parsed(block)));
  return {
    data,
    get headers() {
      return read();
    },
    read: () => read.mock.calls.length,
  };
}

describe("the place of an echo", () => {
  it("is read from the server's lines without the library", () => {
    for (const before of ["", "X: 1\r\n", "Nats-Sequence: 5\r\nNats-Last-Sequence: 4\r\n", own("1", "0")]) {
      const one = message(`NATS/1.0\r\n${before}${own("123456", "123455")}\r\n`);
      expect(echoPlace(one)).toEqual({ seq: 123_456, previous: 123_455 });
      expect(one.read()).toBe(0);
    }
  });

  it("is the library's where anything is otherwise", () => {
    const lines = own("12", "11");
    const others = [
      `${lines}X: 1\r\n`,
      lines.replace("Nats-Sequence: 12\r\n", ""),
      lines.replace("12\r\n", "12 \r\n"),
      lines.replace("Nats-Last-Sequence: 11", "Nats-Last-Sequence: "),
      own("9007199254740993", "1"),
      own("-1", "1"),
      own("1e3", "1"),
      lines.replace("2026", "20 26"),
      "Nats-Sequence: 7\r\n",
    ];
    for (const block of others.map((text) => `NATS/1.0\r\n${text}\r\n`)) {
      expect([block, placeAtEnd(new TextEncoder().encode(block))]).toEqual([block, undefined]);
      const one = message(block);
      const byLibrary = (name: string) => {
        const text = parsed(block).values(name).at(-1) ?? "";
        const value = Number(text);
        return text !== "" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
      };
      const seq = byLibrary("Nats-Sequence");
      expect([block, echoPlace(one)]).toEqual([block, { seq, previous: seq === undefined ? undefined : byLibrary("Nats-Last-Sequence") }]);
      expect(one.read()).toBeGreaterThan(0);
    }
  });

  it("is none without headers, and no bytes of other messages are taken for them", () => {
    expect(echoPlace(message(""))).toEqual({ seq: undefined, previous: undefined });
    const other = message(`NATS/1.0\r\n${own("12", "11")}\r\n\r\nMSG s.1.x 1 7\r\n`);
    expect(echoPlace({ data: other.data, headers: undefined })).toEqual({ seq: undefined, previous: undefined });
    expect(echoPlace({ data: new Uint8Array(7), headers: undefined })).toEqual({ seq: undefined, previous: undefined });
  });
});
