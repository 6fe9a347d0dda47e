/**
 * Records what this version leaves behind, for later versions to restore and bring forward:
 * `node tests/operations/record-backup.ts` makes `tests/operations/recorded/schema-N.backup`.
 *
 * Run once for each version of the records' schema and check the result in; what is there already is refused. The people in it exist nowhere else, and the keys are
 * those of an instance that ran for seconds on loopback.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@althing/testkit";
import { openWorkplace } from "../e2e/althing-process.ts";

const [name = "schema-0"] = process.argv.slice(2);
const file = join(repositoryRoot, "tests", "operations", "recorded", `${name}.backup`);
const alice = ["--as", "alice.id"] as const;
const bob = ["--as", "bob.id"] as const;

await using place = await openWorkplace();
for (const person of ["alice", "bob"]) await place.ok("identity", "new", `${person}.id`);
await place.ok("bootstrap", ...alice, "--handle", "alice");
await place.up();
await place.ok("join", await place.ok("invite", ...alice), ...bob, "--handle", "bob");
await place.ok("room", "create", "garden", ...alice);
await place.ok("room", "invite", "garden", "bob", ...alice);
for (const text of ["the gate is open", "the well is deep"]) await place.ok("room", "send", "garden", text, ...alice);
writeFileSync(join(place.path, "plan.txt"), "beds, paths, a bench\n".repeat(20));
await place.ok("blob", "put", "plan.txt", "--room", "garden", ...bob);
await place.ok("community", "create", "village", ...alice);
await place.ok("role", "create", "village", "gardener", ...alice);
await place.ok("backup", file);
await place.ok("stop");
