import { startNats, type TestNats } from "@althing/testkit";
import { afterAll, beforeAll } from "vitest";
import { describeStore } from "../test/store.contract.ts";
import { jetstreamBackend } from "../test/store-place.ts";

let nats: TestNats;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

describeStore(jetstreamBackend(() => nats.url));
