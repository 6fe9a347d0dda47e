/** Founding, joining, roles, leaving and closing with their records in JetStream on a real nats-server: the suites as they run over memory. */
import { overJetStream } from "../../test/fresh-store.ts";

overJetStream(3);
await import("./joining.test.ts");
await import("./founding.test.ts");
await import("./memberships.attack.test.ts");
await import("./erasure.test.ts");
await import("../communities.test.ts");
await import("../roles/roles.test.ts");
