/** What a client's user notices when processes of the instance die under load: a pause, nothing else. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startInstance, type TestInstance } from "@althing/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type ConnectionEvent,
  type RoomHandle,
} from "./index.ts";

let instance: TestInstance;
let adas: AlthingClient;
let bobs: AlthingClient;
let mine: RoomHandle;
let his: RoomHandle;
const warnings: string[] = [];

beforeAll(async () => {
  instance = await startInstance();
  const [ada, bob] = await Promise.all([1, 2].map(() => identityFromPhrase(newRecoveryPhrase())));
  if (ada === undefined || bob === undefined) throw new Error("no identities");
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  await claimInstance({ url: instance.url, token, handle: "ada", identity: ada });
  adas = createClient({ identity: ada, urls: [instance.url], state: openMemoryState() });
  const { token: invitation } = await adas.call("invitations.create", { body: {} });
  await joinInstance({ url: instance.url, token: invitation, handle: "bob", identity: bob });
  bobs = createClient({ identity: bob, urls: [instance.url], state: openMemoryState() });
  for (const client of [adas, bobs]) client.on("warning", ({ code }) => (code === "first-sight" ? undefined : warnings.push(code)));
  mine = await adas.rooms.create({ name: "garden" });
  await mine.invite("bob");
  const { room } = await bobs.rooms.join("garden");
  if (room === undefined) throw new Error("bob was not let in");
  his = room;
}, 60_000);
afterAll(async () => {
  await adas?.close();
  await bobs?.close();
  await instance?.stop();
});

/** Processes below the supervisor whose command line has this word. */
async function descendants(word: string): Promise<number[]> {
  const found: number[] = [];
  const parents = new Map<number, { parent: number; command: string }>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    parents.set(Number(entry), { parent: Number(/\) \w (\d+)/.exec(stat)?.[1] ?? 0), command });
  }
  for (const [pid, { command }] of parents) {
    if (!command.includes(word)) continue;
    for (let at = parents.get(pid)?.parent ?? 0; at > 1; at = parents.get(at)?.parent ?? 0) if (at === instance.pid) found.push(pid);
  }
  return found;
}

async function loopWhile(word: string): Promise<{ sent: string[]; heard: string[]; states: ConnectionEvent["state"][] }> {
  const heard: string[] = [];
  const sent: string[] = [];
  const states: ConnectionEvent["state"][] = [];
  const stop = adas.on("connection", (event) => event.plane === "nats" && states.push(event.state));
  let wake = () => undefined as void;
  const subscription = await his.subscribe((event) => {
    if (event.kind === "message") heard.push(event.text ?? "");
    wake();
  });
  const pending: Promise<unknown>[] = [];
  const killed: number[] = [];
  for (let index = 0; index < 200; index += 1) {
    const text = `${word} ${index}`;
    sent.push(text);
    pending.push(mine.send(text));
    if (index === 60) killed.push(...(await descendants(word)));
    if (index === 60) for (const pid of killed) process.kill(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(pending);
  while (heard.length < sent.length) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  expect(killed.length).toBeGreaterThan(0);
  await subscription.close();
  stop();
  return { sent, heard, states };
}

describe("when a process dies in the middle of a persisted room's traffic", () => {
  it("the hub: every message arrives once and in order", async () => {
    const { sent, heard } = await loopWhile("hub/src/main.ts");
    expect(heard).toEqual(sent);
  }, 40_000);

  it("nats-server: every message arrives once and in order, over a new connection", async () => {
    const { sent, heard, states } = await loopWhile("nats-server");
    expect(heard).toEqual(sent);
    expect(states).toContain("disconnected");
    expect(states.at(-1)).toBe("connected");
    expect(warnings.filter((code) => code !== "frame.replayed")).toEqual([]);
  }, 40_000);
});

it("a server whose access list lacks the members for a moment: they are heard again by themselves, and miss nothing", async () => {
  const heard: string[] = [];
  const subscription = await his.subscribe((event) => void (event.kind === "message" && heard.push(event.text ?? "")));
  const acl = join(instance.data, "nats", "acl.conf");
  const whole = await readFile(acl, "utf8");
  const { subjects } = await his.info();
  const reload = async (config: string) => {
    await writeFile(acl, config);
    for (const pid of await descendants("nats-server")) process.kill(pid, "SIGHUP");
  };
  const sent: string[] = [];
  const sending: Promise<unknown>[] = [];
  /** Is it heard within a second? */
  const say = async () => {
    const text = `message ${sent.length}`;
    sent.push(text);
    sending.push(mine.send(text));
    for (let waits = 0; waits < 20 && !heard.includes(text); waits += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    return heard.includes(text);
  };
  expect(await say()).toBe(true);
  await reload(whole.replaceAll(`"${subjects.subscribe}"`, `"${subjects.subscribe}-not"`));
  while (await say());
  await reload(whole);
  // Nothing more is sent: it is the listener that comes back.
  await expect.poll(() => heard, { timeout: 15_000 }).toEqual(sent);
  await Promise.all(sending);
  await subscription.close();
}, 60_000);
