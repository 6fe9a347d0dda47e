/**
 * Dead letters as admins see them: list, tell again, give up.
 *
 * Invariant: a letter goes away only when its event was taken or somebody gave it up. A replay is one attempt for each letter, now, outside of the lane's order:
 * consumers know an event by its index.
 */
import type { Caller } from "@althing/bus";
import { AppError, hasCode, type DeadLetter, type DeadLetterPage, type DiscardResult, type ReplayResult } from "@althing/contract";
import type { Rec } from "@althing/store";
import type { AnyPermission, Authority } from "../authority.ts";
import type { EventLog } from "../events/index.ts";
import { publicEventOf } from "../events/event-record.ts";
import { letterOf } from "./burial.ts";
import { letterKey, type HookCollections } from "./hook-collections.ts";
import type { HookHost, HookTarget } from "./hook-host.ts";

interface InInstall {
  readonly community: string;
  readonly install: string;
}
interface Chosen extends InInstall {
  readonly index?: number | undefined;
}

export interface DeadLetters {
  /** @throws {community.not_found} {auth.forbidden} {install.not_found} */
  list(caller: Caller, input: InInstall & { readonly after?: number | undefined; readonly limit: number }): Promise<DeadLetterPage>;
  /** Ends after `replayMaxMs`. @throws {community.not_found} {auth.forbidden} {install.not_found} {hook.letter_not_found} */
  replay(caller: Caller, input: Chosen): Promise<ReplayResult>;
  /** @throws {community.not_found} {auth.forbidden} {install.not_found} {hook.letter_not_found} */
  discard(caller: Caller, input: Chosen): Promise<DiscardResult>;
}

export interface DeadLettersDeps {
  readonly collections: HookCollections;
  readonly authority: Authority;
  readonly events: Pick<EventLog, "read">;
  readonly host: HookHost;
  readonly clock: { now(): number };
}

/** A request that takes longer is taken for lost by clients. */
export const replayMaxMs = 10_000;
const pageSize = 200;

export function createDeadLetters({ collections, authority, events, host, clock }: DeadLettersDeps): DeadLetters {
  const { cursors, letters } = collections;

  async function enter(caller: Caller, { community, install }: InInstall, permission: AnyPermission): Promise<HookTarget> {
    const standing = await authority.require(caller, community, permission);
    return host.locate(standing.community.value.id, install);
  }

  async function chosen({ community, install }: HookTarget, index: number | undefined): Promise<readonly Rec<DeadLetter>[]> {
    if (index !== undefined) {
      const letter = await letters.get(letterKey(community, install, index));
      if (letter === undefined) throw new AppError("hook.letter_not_found", { index });
      return [letter];
    }
    const all: Rec<DeadLetter>[] = [];
    let after: Rec<DeadLetter>["key"] | undefined;
    do {
      const page = await letters.list({ prefix: [community, install], limit: pageSize, ...(after === undefined ? {} : { after }) });
      all.push(...page.records);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  /** Somebody else may have replayed or discarded it meanwhile. */
  async function unlessGone(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (!hasCode(error, "store.conflict")) throw error;
      return false;
    }
  }

  /** @returns why the rest is not tried either */
  async function tell(
    target: HookTarget,
    letter: Rec<DeadLetter>,
    result: { delivered: number; failed: DeadLetter[] },
  ): Promise<string | undefined> {
    const { index, topic, attempts, firstAt } = letter.value;
    const [record] = await events.read(target.community, index - 1, 1);
    if (record?.index !== index) throw new AppError("hook.letter_not_found", { index });
    const signal = new AbortController().signal;
    const outcome = await host.invokeEvent(target, publicEventOf(record), { isRepeat: true, signal });
    switch (outcome.kind) {
      case "wait":
      case "blocked":
        return outcome.detail;
      case "skip":
        return `it is not told of ${topic} any more`;
      case "done":
        if (await unlessGone(letters.delete(letter.key, letter.revision))) result.delivered += 1;
        return undefined;
      case "failed": {
        const { code, detail } = outcome;
        const times = { firstMs: Date.parse(firstAt), nowMs: clock.now() };
        const again = letterOf({ event: { index, topic }, attempts: attempts + 1, code, detail, ...times });
        if (await unlessGone(letters.put(letter.key, again, letter.revision))) result.failed.push(again);
        return undefined;
      }
    }
  }

  return {
    async list(caller, { community: ref, install: name, after, limit }) {
      const { community, install } = await enter(caller, { community: ref, install: name }, "plugins.read");
      const from = after === undefined ? {} : { after: letterKey(community, install, after) };
      const page = await letters.list({ prefix: [community, install], limit, ...from });
      const cursor = (await cursors.get([community, install]))?.value;
      const last = page.records.at(-1)?.value.index;
      return {
        letters: page.records.map(({ value }) => value),
        dropped: cursor?.dropped ?? 0,
        skipped: cursor?.skipped ?? 0,
        ...(page.next === undefined || last === undefined ? {} : { next: last }),
      };
    },
    async replay(caller, input) {
      const target = await enter(caller, input, "plugins.packages.manage");
      const all = await chosen(target, input.index);
      const result = { delivered: 0, failed: [] as DeadLetter[] };
      const untilMs = clock.now() + replayMaxMs;
      let tried = 0;
      let stopped: string | undefined;
      // What was tried longest ago comes first, so that asking again gets to all of them.
      const inTurn = all.toSorted((a, b) => (a.value.at < b.value.at ? -1 : Number(a.value.at > b.value.at)));
      for (const letter of inTurn) {
        if (clock.now() >= untilMs) break;
        stopped = await tell(target, letter, result);
        if (stopped !== undefined) break;
        tried += 1;
      }
      return { ...result, left: all.length - tried, ...(stopped === undefined ? {} : { stopped: stopped.slice(0, 500) }) };
    },
    async discard(caller, input) {
      const target = await enter(caller, input, "plugins.packages.manage");
      let discarded = 0;
      for (const letter of await chosen(target, input.index))
        if (await unlessGone(letters.delete(letter.key, letter.revision))) discarded += 1;
      return { discarded };
    },
  };
}
