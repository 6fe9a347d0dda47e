import fc from "fast-check";
import { expect, test } from "vitest";
import { createNatsStreamMutator, encodeNatsMessage, type NatsMessage } from "./nats-stream-mutator.ts";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
const message: NatsMessage = { subject: "a.b", sid: "1", payload: Buffer.from("MSG x 1 3\r\nabc\r\n") };

test("a payload that looks like the protocol is payload", () => {
  const seen: NatsMessage[] = [];
  const mutator = createNatsStreamMutator((_subject, _headers, _payload, whole) => {
    seen.push(whole);
    return "pass";
  });
  const wire = Buffer.concat([Buffer.from("PING\r\n"), encodeNatsMessage(message), Buffer.from("+OK\r\n")]);
  expect(text(mutator.feed(wire))).toBe(text(wire));
  expect(seen).toHaveLength(1);
  expect(text(seen[0]?.payload ?? new Uint8Array())).toBe("MSG x 1 3\r\nabc\r\n");
});

test("passed bytes come out unchanged however the stream is cut", () => {
  const arbitrary = fc.record({
    subject: fc.stringMatching(/^[a-z]{1,5}\.[a-z]{1,5}$/),
    sid: fc.nat(99).map(String),
    reply: fc.option(fc.constant("_INBOX.r"), { nil: undefined }),
    headers: fc.option(fc.dictionary(fc.stringMatching(/^[A-Z][a-z]{1,5}$/), fc.stringMatching(/^[a-z0-9]{0,8}$/)), { nil: undefined }),
    payload: fc.uint8Array({ maxLength: 64 }),
  });
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 5 }), fc.integer({ min: 1, max: 40 }), (messages, step) => {
      const wire = Buffer.concat(messages.map(encodeNatsMessage));
      const mutator = createNatsStreamMutator(() => "pass");
      const out: Uint8Array[] = [];
      for (let at = 0; at < wire.length; at += step) out.push(mutator.feed(wire.subarray(at, at + step)));
      return Buffer.concat(out).equals(wire);
    }),
    { seed: 7, numRuns: 200 },
  );
});

test("headers are read and may be replaced, the status line of others kept", () => {
  const mutator = createNatsStreamMutator((_subject, headers) => (headers["Id"] === "1" ? { headers: { Id: "2" } } : "pass"));
  const out = mutator.feed(encodeNatsMessage({ ...message, headers: { Id: "1" } }));
  expect(text(out)).toContain("Id: 2\r\n");
  const noResponders = "HMSG _INBOX.x 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n";
  expect(text(mutator.feed(Buffer.from(noResponders)))).toBe(noResponders);
});

test("the server's other addresses are hidden, or a client would go around the proxy", () => {
  const mutator = createNatsStreamMutator(() => "pass");
  const out = text(mutator.feed(Buffer.from('INFO {"nonce":"n","connect_urls":["10.0.0.1:4222"]}\r\n')));
  expect(out).toBe('INFO {"nonce":"n"}\r\n');
});
