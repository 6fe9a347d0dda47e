import { connect, headers as natsHeaders, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { NatsMessage } from "./nats-stream-mutator.ts";
import { startHostileNatsProxy, type HostileNatsProxy } from "./start-hostile-nats-proxy.ts";
import { startNats, type TestNats } from "./start-nats.ts";

let nats: TestNats;
let proxy: HostileNatsProxy;
let honest: NatsConnection;
let deceived: NatsConnection;

beforeAll(async () => {
  nats = await startNats();
  proxy = await startHostileNatsProxy({ target: nats.url });
  honest = await connect({ servers: nats.url });
  deceived = await connect({ servers: proxy.url, reconnectTimeWait: 50 });
});
beforeEach(() => proxy.setOnMessage(() => "pass"));
afterAll(async () => {
  await deceived.close();
  await honest.close();
  await proxy.close();
  await nats.stop();
});

/** What the deceived client gets when the honest one publishes these, up to the mark that ends them. */
async function receive(subjects: string, publish: (at: NatsConnection) => void): Promise<string[]> {
  const subscription = deceived.subscribe(subjects);
  await deceived.flush();
  publish(honest);
  honest.publish(subjects.replace(">", "end"), "end");
  const got: string[] = [];
  for await (const message of subscription) {
    if (message.string() === "end") break;
    got.push(`${message.subject}=${message.string()}`);
  }
  return got;
}

test("an honest proxy changes nothing, headers and replies included", async () => {
  const subscription = deceived.subscribe("echo", { callback: (_error, m) => void m.respond(m.data, { headers: natsHeaders() }) });
  await deceived.flush();
  const big = new Uint8Array(200_000).fill(13);
  expect((await honest.request("echo", big)).data).toEqual(big);
  subscription.unsubscribe();
});

test("messages are dropped, altered and moved to another subject", async () => {
  proxy.setOnMessage((_subject, _headers, payload) => {
    const said = Buffer.from(payload).toString();
    if (said === "secret") return "drop";
    if (said === "yes") return { payload: Buffer.from("no") };
    return said === "here" ? { subject: "m.elsewhere" } : "pass";
  });
  const got = await receive("m.>", (at) => ["secret", "yes", "here", "plain"].forEach((said) => at.publish("m.a", said)));
  expect(got).toEqual(["m.a=no", "m.elsewhere=here", "m.a=plain"]);
});

test("messages are doubled and reordered", async () => {
  let kept: NatsMessage | undefined;
  proxy.setOnMessage((_subject, _headers, payload, message) => {
    const said = Buffer.from(payload).toString();
    if (said === "first") {
      kept = message;
      return "drop";
    }
    return said === "second" && kept ? [message, kept, kept] : "pass";
  });
  const got = await receive("o.>", (at) => ["first", "second"].forEach((said) => at.publish("o.a", said)));
  expect(got).toEqual(["o.a=second", "o.a=first", "o.a=first"]);
});

test("an old message is played again, and a cut client comes back", async () => {
  let old: NatsMessage | undefined;
  proxy.setOnMessage((_subject, _headers, _payload, message) => {
    old ??= message;
    return "pass";
  });
  const got: string[] = [];
  let again: () => void = () => undefined;
  const replayed = new Promise<void>((done) => (again = done));
  const subscription = deceived.subscribe("p", {
    callback: (_error, m) => {
      got.push(m.string());
      if (got.length === 2) again();
      else if (old) proxy.inject(old);
    },
  });
  await deceived.flush();
  honest.publish("p", "once");
  await replayed;
  expect(got).toEqual(["once", "once"]);
  subscription.unsubscribe();

  const reconnected = (async () => {
    for await (const status of deceived.status()) if (status.type === "reconnect") return;
  })();
  proxy.disconnect();
  await reconnected;
  await deceived.flush();
});
