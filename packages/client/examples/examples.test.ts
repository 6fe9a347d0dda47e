/** The examples do what they say, against a real instance. */
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
  type Identity,
} from "../src/index.ts";
import { runEchoAgent } from "./echo-agent.ts";
import { talk } from "./talk.ts";

let instance: TestInstance;
let ada: Identity;
let bob: Identity;
let adas: AlthingClient;
let bobs: AlthingClient;

beforeAll(async () => {
  instance = await startInstance();
  ada = await identityFromPhrase(newRecoveryPhrase());
  bob = await identityFromPhrase(newRecoveryPhrase());
  await claimInstance({
    url: instance.url,
    token: /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "",
    handle: "ada",
    identity: ada,
  });
  adas = createClient({ identity: ada, urls: [instance.url], state: openMemoryState() });
  const { token } = await adas.call("invitations.create", { body: {} });
  await joinInstance({ url: instance.url, token, handle: "bob", identity: bob });
  bobs = createClient({ identity: bob, urls: [instance.url], state: openMemoryState() });
}, 60_000);
afterAll(async () => {
  await adas?.close();
  await bobs?.close();
  await instance?.stop();
});

describe("examples", () => {
  it("talk: shared history reaches who came later", async () => {
    expect(await talk(instance.url, ada, bob)).toEqual(["before you came", "hello, Bob"]);
  });

  it("echo agent: answers in its out room", async () => {
    const requests = await adas.rooms.create({ name: "agent.echo.in" });
    const answers = await adas.rooms.create({ name: "agent.echo.out" });
    await requests.invite("bob");
    await answers.invite("bob");
    const stop = await runEchoAgent(bobs, "echo");
    const heard = new Promise<string | undefined>((resolve) => {
      void answers.subscribe((event) => {
        if (event.kind === "message") resolve(event.text);
      });
    });
    await requests.send("hello");
    expect(await heard).toBe("you said: hello");
    await stop();
  });
});
