/**
 * A hub's scheduler of jobs in a process of its own, which tests stop, wake and kill: `jobs-child.ts <store> <node> <milliseconds that a run takes>
 * [stops]`. With the last it stops itself in the middle of its first run: from within, so that it holds no lock of the store then.
 *
 * Invariant: scheduler and store are the product's own; slots come every half second. It tells of each run that begins and ends by message.
 */
import { communityIdSchema, installIdSchema, type JobSchedule } from "@althing/contract";
import { openSqliteStore } from "@althing/store";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthority, openCommunityCollections, type JobHost, type JobInstall } from "../src/index.ts";
import { createJobs } from "../src/hooks/jobs/index.ts";

const [, , path = "", node = "", runMs = "0", stops] = process.argv;
const slotMs = 500;
const community = communityIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
const install: JobInstall = {
  ...{ community, id: installIdSchema.parse("01ARZ3NDEKTSV4RRFFQ69G5FAW"), extension: "org.example.tidy" },
  declared: [{ name: "tidy", schedule: "minute" }],
  granted: ["tidy"],
};
const tell = (message: object) => new Promise<void>((resolve) => process.send?.(message, () => resolve()));
let mustStop = stops === "stops";

const host: JobHost = {
  activeIn: () => Promise.resolve([install]),
  active: () => Promise.resolve(install),
  locate: () => Promise.resolve(install),
  show: () => Promise.resolve({ install, blocked: undefined }),
  blockOf: () => Promise.resolve(undefined),
  nextRuns: (_schedule: JobSchedule, afterMs, count) =>
    Array.from({ length: count }, (_, i) => (Math.floor(afterMs / slotMs) + 1 + i) * slotMs),
  async invoke({ slot, confirm }) {
    if (!(await confirm())) return { status: "unconfirmed" };
    await tell({ begun: slot });
    if (mustStop) {
      mustStop = false;
      process.kill(process.pid, "SIGSTOP");
    }
    await sleep(Number(runMs));
    await tell({ ended: slot });
    return { status: "ok", note: node };
  },
};

const store = await openSqliteStore({ path, migrations: [], fsync: "interval" });
const jobs = createJobs({
  ...{ store, host, node, clock: Date, authority: createAuthority({ collections: openCommunityCollections(store) }) },
  communities: async function* () {
    yield community;
  },
  log: (level, event, fields) => void tell({ level, event, fields }),
  times: { beatMs: 100, lostMs: 1_000, lookMs: 500 },
});
process.on("disconnect", () => process.exit(0));
for (;;) {
  await jobs.tick();
  await sleep(50);
}
