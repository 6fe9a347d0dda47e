/** What a client's user notices when one of two addresses of the instance dies, hangs or breaks off, on both planes: a pause, nothing else. */
import { startInstance, startTcpGate, freePorts, type GateState, type TcpGate, type TestInstance } from "@althing/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type ClientOptions,
  type Identity,
  type RoomHandle,
} from "./index.ts";

interface Node {
  readonly hub: TcpGate;
  readonly nats: TcpGate;
}

let instance: TestInstance;
let ada: Identity;
let bob: Identity;
let ports: number[];
const open: { close(): Promise<unknown> }[] = [];
let names = 0;

beforeAll(async () => {
  ports = await freePorts(2);
  const origins = ports.map((port) => `http://127.0.0.1:${port}`);
  instance = await startInstance();
  await instance.stop();
  instance = await startInstance({
    args: ["--origins", [`http://localhost:${instance.ports.hub}`, ...origins].join(",")],
    ports: instance.ports,
  });
  ada = await identityFromPhrase(newRecoveryPhrase());
  bob = await identityFromPhrase(newRecoveryPhrase());
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  const admin = createClient({ identity: ada, urls: [instance.url], state: openMemoryState() });
  const { token: invitation } = await admin.call("invitations.create", { body: {} });
  await admin.close();
  await joinInstance({ url: instance.url, token: invitation, handle: "bob", identity: bob });
}, 90_000);
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});
afterAll(() => instance?.stop());

/** Two nodes, as far as a client can see. */
async function twoNodes(): Promise<[Node, Node]> {
  const nodes: Node[] = [];
  for (const port of ports) {
    const node = {
      hub: await startTcpGate({ target: instance.ports.hub, port }),
      nats: await startTcpGate({ target: instance.ports.nats }),
    };
    open.push(node.hub, node.nats);
    nodes.push(node);
  }
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error("two ports were asked for");
  return [first, second];
}

function clientOf(identity: Identity, nodes: readonly Node[], more: Partial<ClientOptions> = {}): AlthingClient {
  const client = createClient({
    identity,
    urls: nodes.map(({ hub }) => `http://127.0.0.1:${hub.port}`),
    nats: nodes.map(({ nats }) => `nats://127.0.0.1:${nats.port}`),
    state: openMemoryState(),
    ...more,
  });
  open.push(client);
  return client;
}

/** Ada writes through both nodes, Bob reads past them. */
async function conversation(nodes: readonly Node[]) {
  const name = `room-${(names += 1)}`;
  const adas = clientOf(ada, nodes);
  const mine = await adas.rooms.create({ name });
  await mine.invite("bob");
  const bobs = createClient({ identity: bob, urls: [`http://localhost:${instance.ports.hub}`], state: openMemoryState() });
  open.push(bobs);
  const { room: his } = await bobs.rooms.join(name);
  if (his === undefined) throw new Error("bob was not let in");
  const heard: string[] = [];
  await his.subscribe((event) => void (event.kind === "message" && heard.push(event.text ?? "")));
  return { adas, mine, his, heard };
}

async function texts(room: RoomHandle): Promise<(string | undefined)[]> {
  return (await room.history({ last: 500 })).flatMap((event) => (event.kind === "message" ? [event.text] : []));
}

/** Sends all through, doing harm on the way. */
async function sendThrough(mine: RoomHandle, harm: () => void): Promise<string[]> {
  const sent: string[] = [];
  const pending: Promise<unknown>[] = [];
  for (let index = 0; index < 120; index += 1) {
    const text = `word ${index}`;
    sent.push(text);
    pending.push(mine.send(text));
    if (index === 40) harm();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Promise.all(pending);
  return sent;
}

const nextConnectionMs = (client: AlthingClient): Promise<number> =>
  new Promise((resolve) => {
    const stop = client.on("connection", ({ plane, state }) => {
      if (plane !== "nats" || state !== "connected") return;
      stop();
      resolve(performance.now());
    });
  });

describe("when the node dies over which somebody writes", () => {
  it.each<[string, GateState, (node: Node) => readonly TcpGate[]]>([
    ["all of it is dead", "dead", ({ hub, nats }) => [hub, nats]],
    ["all of it hangs: it accepts and never answers", "hung", ({ hub, nats }) => [hub, nats]],
    ["its NATS server is dead", "dead", ({ nats }) => [nats]],
    ["its NATS server hangs", "hung", ({ nats }) => [nats]],
  ])("%s: connected elsewhere within 2 s, every message once, in order", async (_what, state, gates) => {
    const nodes = await twoNodes();
    const { adas, mine, his, heard } = await conversation(nodes);
    await mine.send("first");
    let tookMs = Number.NaN;
    let connected: Promise<unknown> = Promise.resolve();
    const sent = await sendThrough(mine, () => {
      const beganMs = performance.now();
      connected = nextConnectionMs(adas).then((atMs) => (tookMs = atMs - beganMs));
      for (const gate of gates(nodes[0])) gate.set(state);
    });
    await connected;
    expect(tookMs).toBeLessThan(2_000);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(sent.length + 1);
    expect(heard).toEqual(["first", ...sent]);
    expect(await texts(his)).toEqual(["first", ...sent]);
  });

  it("its hub alone hangs: the messages go on, and what is asked of the hub is answered by the other", async () => {
    const nodes = await twoNodes();
    const { adas, mine, heard } = await conversation(nodes);
    await mine.send("first");
    nodes[0].hub.set("hung");
    const beganMs = performance.now();
    expect((await adas.me()).handle).toBe("ada");
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    expect(adas.url).toContain(String(nodes[1].hub.port));
    const sent = await sendThrough(mine, () => undefined);
    await expect.poll(() => heard.length).toBe(sent.length + 1);
  });

  it("its answer breaks off: what was founded is founded once", async () => {
    const nodes = await twoNodes();
    const adas = clientOf(ada, nodes);
    await adas.me();
    const name = `room-${(names += 1)}`;
    nodes[0].hub.cutAfter(60);
    const room = await adas.rooms.create({ name });
    expect((await adas.rooms.list()).filter((one) => one.name === name)).toMatchObject([{ id: room.id }]);
    expect(adas.url).toContain(String(nodes[1].hub.port));
  });

  it("whoever only listens is connected elsewhere too, and reads what was said meanwhile", async () => {
    const nodes = await twoNodes();
    const { mine, his } = await conversation(nodes);
    const listener = clientOf(ada, nodes);
    const room = await listener.rooms.open(mine.name);
    const heard: string[] = [];
    await room.subscribe((event) => void (event.kind === "message" && heard.push(event.text ?? "")));
    const again = nextConnectionMs(listener);
    for (const gate of [nodes[0].hub, nodes[0].nats]) gate.set("hung");
    await his.send("said meanwhile");
    await again;
    await expect.poll(() => heard).toEqual(["said meanwhile"]);
  });

  it("with all nodes dead for a while the messages wait, and leave once when one is back", async () => {
    const nodes = await twoNodes();
    const { mine, his, heard } = await conversation(nodes);
    await mine.send("first");
    const all = nodes.flatMap(({ hub, nats }) => [hub, nats]);
    for (const gate of all) gate.set("dead");
    const sends = ["one", "two", "three"].map((text) => mine.send(text));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    for (const gate of [nodes[1].hub, nodes[1].nats]) gate.set("open");
    await Promise.all(sends);
    await expect.poll(() => heard).toEqual(["first", "one", "two", "three"]);
    expect(await texts(his)).toEqual(["first", "one", "two", "three"]);
  });
});
