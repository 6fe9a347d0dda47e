/**
 * A process that has been taken over: it speaks to the service with the real frames, and says what the glue's text tells it to.
 */
import { Socket } from "node:net";
import { decodePayload, encodeFrame, FrameReader } from "../../../src/sandbox/frames.ts";

const pipe = new Socket({ fd: 3 });
const reader = new FrameReader();
const send = (message: object): void => void pipe.write(encodeFrame(message));
const usage = { fuel: 0, peakMemoryBytes: 0 };
let lie = "";

function field(message: unknown, name: string): unknown {
  return typeof message === "object" && message !== null ? Reflect.get(message, name) : undefined;
}

function nested(depth: number): Uint8Array {
  const bytes = new Uint8Array(4 + depth).fill(0x81);
  new DataView(bytes.buffer).setUint32(0, depth);
  bytes[bytes.length - 1] = 0;
  return bytes;
}

function tell(id: string): void {
  const host = { type: "host", id, call: 1, op: "host.call", args: ["echo", new Uint8Array(1)] };
  if (lie === "another id") send({ ...host, id: "A".repeat(22) });
  else if (lie === "another end") send({ type: "ok", id: "A".repeat(22), value: 1, ...usage });
  else if (lie === "a call twice") for (let count = 0; count < 2; count++) send(host);
  else if (lie === "too many calls") for (let count = 1; count < 300; count++) send({ ...host, call: count });
  else if (lie === "too much log")
    for (let count = 0; count < 20; count++) send({ ...host, call: 0, op: "log.write", args: ["info", "x".repeat(100_000)] });
  else if (lie === "too many bytes")
    for (let count = 1; count < 24; count++) send({ ...host, call: count, args: [new Uint8Array(1_000_000)] });
  else if (lie === "an unknown type") send({ type: "root", id });
  else if (lie === "a field more") send({ ...host, admin: true });
  else if (lie === "a long frame") pipe.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  else if (lie === "no CBOR") pipe.write(Uint8Array.of(0, 0, 0, 2, 0xff, 0xff));
  else if (lie === "deep nesting") pipe.write(nested(100_000));
  else if (lie === "ready again") send({ type: "ready" });
  else if (lie === "a pong") send({ type: "pong", count: 1_000 });
  else if (lie === "ends twice") for (let count = 0; count < 2; count++) send({ type: "ok", id, value: 1, ...usage });
  else if (lie === "output") process.stdout.write("x".repeat(10_000_000), () => send({ type: "ok", id, value: "done", ...usage }));
  else if (lie === "forged fuel") send({ type: "ok", id, value: 1, fuel: Number.MAX_SAFE_INTEGER, peakMemoryBytes: 0 });
  else if (lie === "a prototype") send({ ...host, args: [JSON.parse('{"__proto__":{"admin":true}}')] });
}

pipe.on("data", (chunk: Uint8Array) => {
  for (const payload of reader.push(chunk, 1e9)) {
    const message = decodePayload(payload);
    const [type, id, glue, count] = ["type", "id", "glue", "count"].map((name) => field(message, name));
    if (type === "ping") send({ type: "pong", count });
    else if (type === "load" && glue instanceof Uint8Array) {
      lie = new TextDecoder().decode(glue);
      send({ type: "loaded" });
    } else if (type === "call" && typeof id === "string") tell(id);
  }
});
pipe.on("close", () => process.exit(0));
send({ type: "ready" });
