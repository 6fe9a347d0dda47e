/**
 * Has each runner make ready what it may be asked to run, before anybody waits for it.
 *
 * Why: a runner that never ran a package (a new machine, a restored instance, one that was upgraded) takes seconds to prepare its component, and whoever
 * calls it first would wait for that within the time of a call. Invariant: a runner is asked once for each bundle while it stays, one bundle at a time, so
 * that calls keep their place; what cannot be prepared is said in the log and left to the call, which says why.
 */
import { hasCode } from "@althing/contract";
import type { Store } from "@althing/store";
import type { ExtensionClock, ExtensionLog } from "../extension-deps.ts";
import type { RunnerAt, RunnerClient } from "../runner-client/index.ts";
import { openInstallRows } from "./install-rows.ts";

export interface PrepareAhead {
  /** To be called every second or so. Ends when every runner that is up has what runs now. @throws {store.unavailable} */
  look(): Promise<void>;
  /** What is being prepared goes on; nothing more is begun. */
  close(): void;
}

export interface PrepareAheadDeps {
  readonly store: Store;
  readonly runner: Pick<RunnerClient, "runners">;
  readonly clock: ExtensionClock;
  readonly log: ExtensionLog;
}

/** What another node installed, and whether each runner is still the one it was. */
const lookAgainMs = 30_000;

export function createPrepareAhead({ store, runner, clock, log }: PrepareAheadDeps): PrepareAhead {
  const { installs } = openInstallRows(store);
  /** Bundles by runner. */
  const asked = new Map<string, ReadonlySet<string>>();
  let lookedAtMs: number | undefined;
  let isClosed = false;

  async function whatRuns(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    let after: Awaited<ReturnType<typeof installs.list>>["next"];
    do {
      const page = await installs.list({ limit: 1_000, ...(after === undefined ? {} : { after }) });
      for (const { value } of page.records) {
        const { isActive, consented, quarantine, current } = value;
        if (isActive && consented && quarantine === undefined) found.add(current.contentHash);
      }
      after = page.next;
    } while (after !== undefined);
    return found;
  }

  const isReady = async (at: RunnerAt): Promise<boolean> => (await at.health())?.status === "ready";

  /** @returns `later`: the runner or its hub was not there for it */
  async function prepare(at: RunnerAt, contentHash: string): Promise<"asked" | "later"> {
    try {
      const { preparedMs } = await at.prepare(contentHash);
      log("debug", "a package was prepared ahead", { contentHash, runner: at.url, preparedMs: Math.round(preparedMs) });
      return "asked";
    } catch (error) {
      if (hasCode(error, "ext.unavailable", "ext.timeout")) return "later";
      log("warn", "a package could not be prepared ahead", { contentHash, runner: at.url, error: String(error) });
      return "asked";
    }
  }

  async function prepareAll(at: RunnerAt, wanted: ReadonlySet<string>): Promise<void> {
    const before = asked.get(at.url);
    const had = new Set([...wanted].filter((contentHash) => before?.has(contentHash) === true));
    for (const contentHash of wanted) {
      if (isClosed) return;
      if (had.has(contentHash)) continue;
      if ((await prepare(at, contentHash)) === "asked") had.add(contentHash);
      else if (!(await isReady(at))) return void asked.delete(at.url);
    }
    asked.set(at.url, had);
  }

  return {
    async look() {
      const runners = runner.runners();
      const isDue = lookedAtMs === undefined || clock.now() - lookedAtMs >= lookAgainMs;
      const due = isDue ? runners : runners.filter(({ url }) => !asked.has(url));
      const areReady = await Promise.all(due.map(isReady));
      const ready = due.filter((_at, index) => areReady[index]);
      // One that is away may come back with an empty folder.
      for (const url of asked.keys()) if (!runners.some((at) => at.url === url)) asked.delete(url);
      for (const [index, { url }] of due.entries()) if (areReady[index] !== true) asked.delete(url);
      if (ready.length === 0) return;
      if (isDue) lookedAtMs = clock.now();
      const wanted = await whatRuns();
      await Promise.all(ready.map((at) => prepareAll(at, wanted)));
    },
    close() {
      isClosed = true;
    },
  };
}
