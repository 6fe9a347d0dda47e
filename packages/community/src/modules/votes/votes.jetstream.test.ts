/** Votes, cast, closed, counted and opened, with their records in JetStream on a real nats-server: the suites as they run over memory. */
import { overJetStream } from "../../../test/fresh-store.ts";

overJetStream(6);
await import("./cast-ballots.test.ts");
await import("./open-ballots.test.ts");
await import("./count-ballots.test.ts");
