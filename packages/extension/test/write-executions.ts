/**
 * A hub's part that writes the execution log, in a process of its own that a test kills: `write-executions.ts <file> <node>`. It ends three calls,
 * leaves two open, and goes on writing until it dies, a dot for every twenty.
 */
import type { InstallId } from "@althing/contract";
import { openSqliteStore } from "@althing/store";
import { createExecutions } from "../src/executions/index.ts";
import { endOf, otherCommunity, startOf } from "./execution-samples.ts";

const [path = "", node = ""] = process.argv.slice(2);
const executions = createExecutions({ store: await openSqliteStore({ path, migrations: [] }), clock: Date, node });
const busy = "01ARZ3NDEKTSV4RRFFQ69G5FZZ" as InstallId;
for (let i = 0; i < 3; i++) await (await executions.start(startOf())).finish(endOf());
await executions.start(startOf());
await executions.start(startOf());
for (;;) {
  const calls = await Promise.all(
    Array.from({ length: 20 }, () => executions.start(startOf({ community: otherCommunity, install: busy }))),
  );
  await Promise.all(calls.map((call) => call.finish(endOf())));
  process.stdout.write(".");
}
