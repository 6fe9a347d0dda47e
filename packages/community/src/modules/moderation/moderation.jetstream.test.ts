/** Moderation, appeals and mutes with their records in JetStream on a real nats-server: the suites as they run over memory. */
import { overJetStream } from "../../../test/fresh-store.ts";

overJetStream();
await import("./moderation.test.ts");
await import("./moderation.attack.test.ts");
