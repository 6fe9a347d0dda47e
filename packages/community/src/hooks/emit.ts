/**
 * Events that extensions tell the community.
 *
 * Invariant: an extension speaks under its own name only (`ext.<its id>.<name>`), so often a minute, and in answer to events only so deep: packages that answer
 * one another come to an end. What it tells is open data; it must not name people, whose traces could not be erased from it.
 */
import { AppError, limits, topicSchema, type CommunityId, type ExtensionTopic } from "@althing/contract";
import { z } from "zod";
import type { EventLog } from "../events/index.ts";

export interface Emission {
  readonly community: CommunityId;
  readonly extension: string;
  /** Of the event that the extension answers; absent when it answers something else. */
  readonly causeDepth?: number | undefined;
  /** Below the extension's own prefix. */
  readonly topic: string;
  readonly subject: string;
  /** JSON. */
  readonly data: string;
}

export interface Emitter {
  /** @returns id of the event @throws {capability.bad_argument} {event.too_deep} {event.too_large} {ext.quota_exceeded} */
  emit(emission: Emission): Promise<{ id: string }>;
}

const windowMs = 60_000;
const subjectMax = 300;
/** A manifest cannot subscribe to a longer one. */
const topicMax = 128;
const rememberedMax = 20_000;
const nameSchema = z.string().regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*$/);
const dataSchema = z.record(z.string(), z.unknown());

export function createEmitter({
  events,
  clock,
}: {
  readonly events: Pick<EventLog, "act" | "head" | "one">;
  readonly clock: { now(): number };
}): Emitter {
  /** Emitted within the minute, by community and extension. */
  const windows = new Map<string, { fromMs: number; count: number }>();

  function takeRate({ community, extension }: Emission): void {
    const key = `${community}/${extension}`;
    const nowMs = clock.now();
    const known = windows.get(key);
    const window = known !== undefined && nowMs - known.fromMs < windowMs ? known : { fromMs: nowMs, count: 0 };
    const limit = limits.eventsPerMinutePerInstall;
    if (window.count >= limit)
      throw new AppError(
        "ext.quota_exceeded",
        { quota: "eventsPerMinute", observed: window.count, limit },
        { retryAfterSeconds: Math.max(1, Math.ceil((window.fromMs + windowMs - nowMs) / 1_000)) },
      );
    window.count += 1;
    if (windows.size >= rememberedMax) windows.clear();
    windows.set(key, window);
  }

  return {
    async emit(emission) {
      const { community, extension, causeDepth, subject } = emission;
      const topic = topicOf(emission);
      if (subject.length > subjectMax || !/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u.test(subject))
        throw badArgument(`subject must be at most ${subjectMax} characters without controls`);
      const data = dataOf(emission.data);
      const depth = causeDepth === undefined ? 0 : causeDepth + 1;
      if (depth > limits.eventDepthMax) throw new AppError("event.too_deep", { depth, limit: limits.eventDepthMax });
      takeRate(emission);
      const summary = `${extension}: ${emission.topic}`;
      const actor = { kind: "extension" as const, extension };
      const index = await events.act(community, async () => ({
        writes: [],
        events: [{ topic, actor, subject, summary, data, depth }],
        // The act is written on this head or decided again.
        result: (await events.head(community)).index + 1,
      }));
      const record = await events.one(community, index);
      if (record === undefined) throw new AppError("store.unavailable", { detail: "the event that was written is not there" });
      return { id: record.id };
    },
  };
}

const badArgument = (detail: string) => new AppError("capability.bad_argument", { call: "events.emit", detail });

function topicOf({ extension, topic: name }: Emission): ExtensionTopic {
  const topic: ExtensionTopic = `ext.${extension}.${name}`;
  if (!nameSchema.safeParse(name).success || topic.length > topicMax || !topicSchema.safeParse(topic).success)
    throw badArgument(
      `topic must be words of a–z 0–9 _ - with dots between, and ${topicMax} characters with ext. and the extension's name`,
    );
  return topic;
}

function dataOf(text: string): Record<string, unknown> {
  if (Buffer.byteLength(text) > limits.eventDataMaxBytes) throw new AppError("event.too_large", { limit: limits.eventDataMaxBytes });
  try {
    const parsed = dataSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // Said below.
  }
  throw badArgument("data must be a JSON object");
}
