/** Every lie, told to the client library in Node: over HTTP and over NATS on TCP. */
import { afterAll, afterEach, beforeAll, describe, test } from "vitest";
import { answerScenarios } from "./answer-scenarios.ts";
import { frameScenarios } from "./frame-scenarios.ts";
import { startHostileWorld, type HostileWorld } from "./hostile-world.ts";
import { membershipScenarios } from "./membership-scenarios.ts";
import { createNodeVictim } from "./node-victim.ts";
import { must } from "./scenario.ts";
import type { Victim } from "./victim.ts";

let world: HostileWorld;
let victim: Victim;

beforeAll(async () => {
  world = await startHostileWorld();
});
afterAll(async () => world?.[Symbol.asyncDispose]());
afterEach(async () => {
  world.honest();
  await victim.stop();
});

async function begin(): Promise<void> {
  victim = createNodeVictim();
  must(await victim.start({ phrase: world.victimPhrase, url: world.proxy.url, nats: [world.natsProxy.url], roomFreshMs: 200 }));
}

describe.for([
  ["membership, keys and policy", membershipScenarios],
  ["messages", frameScenarios],
  ["people and answers", answerScenarios],
] as const)("%s", ([, scenarios]) => {
  test.for(scenarios)("$name", async ({ run }) => {
    await begin();
    await run(world, victim);
  });
});
