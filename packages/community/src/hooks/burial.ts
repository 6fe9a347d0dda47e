/**
 * The writes that put an event among an install's dead letters.
 *
 * Invariant: they go in the batch that moves the cursor past the event. The oldest letter makes room when the list is full, and is counted.
 */
import { limits, type DeadLetter, type EventRecord } from "@althing/contract";
import type { Rec, Write } from "@althing/store";
import { letterKey } from "./hook-collections.ts";
import type { HookTarget } from "./hook-host.ts";
import type { LaneDeps } from "./lane-deps.ts";

export interface Burial {
  readonly writes: readonly Write[];
  readonly dropped: number;
}

export interface LastAttempt {
  readonly event: Pick<EventRecord, "index" | "topic">;
  readonly attempts: number;
  readonly code: string;
  readonly detail: string;
  readonly firstMs: number;
  readonly nowMs: number;
}

const toTime = (ms: number): string => new Date(ms).toISOString();

export function letterOf({ event, attempts, code, detail, firstMs, nowMs }: LastAttempt): DeadLetter {
  const { index, topic } = event;
  const shortened = detail.toWellFormed().slice(0, 500).toWellFormed();
  return { index, topic, attempts, code: code.slice(0, 64), detail: shortened, firstAt: toTime(firstMs), at: toTime(nowMs) };
}

export async function burialOf(
  { collections: { letters }, settings }: Pick<LaneDeps, "collections" | "settings">,
  { community, install }: HookTarget,
  last: LastAttempt,
): Promise<Burial> {
  const kept: Rec<DeadLetter>[] = [];
  let after: Rec<DeadLetter>["key"] | undefined;
  do {
    const page = await letters.list({
      prefix: [community, install],
      limit: limits.deadLettersPerInstallMax,
      ...(after === undefined ? {} : { after }),
    });
    kept.push(...page.records);
    after = page.next;
  } while (after !== undefined);
  const key = letterKey(community, install, last.event.index);
  const others = kept.filter(({ value }) => value.index !== last.event.index);
  const tooMany = others.slice(0, Math.max(0, others.length + 1 - settings.lettersMax));
  return {
    writes: [...tooMany.map((letter) => letters.toDelete(letter.key)), letters.toPut(key, letterOf(last))],
    dropped: tooMany.length,
  };
}
