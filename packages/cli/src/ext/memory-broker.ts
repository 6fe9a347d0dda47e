/**
 * The hub's side of host calls, in memory: what a project's requests are answered with when they run locally.
 *
 * Invariant: the same requests and answers as the hub's broker (the contract's schemas), scoped to one run; what a community would have to give (rooms,
 * proposals) is refused in the same words as on an instance without it. docs/architecture/gateway.md has the hub's own.
 */
import { limits, type BrokerRequest, type BrokerResult } from "@althing/contract";

export interface BrokerWorld {
  readonly secrets: Readonly<Record<string, string>>;
  readonly members: readonly { readonly id: string; readonly handle: string; readonly roles: readonly string[]; readonly since: string }[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

type BrokerAnswer = { readonly ok: unknown } | { readonly error: { readonly code: string; readonly message: string } };

export interface MemoryBroker {
  answer(request: BrokerRequest): BrokerAnswer;
  /** Topics emitted so far, in order. */
  readonly emitted: readonly { readonly topic: string; readonly subject: string; readonly data: string }[];
}

interface Entry {
  readonly value: string;
  readonly revision: number;
  readonly expiresAtMs: number;
}

const refuse = (code: string, message: string): BrokerAnswer => ({ error: { code, message } });

export function createMemoryBroker(world: BrokerWorld): MemoryBroker {
  const entries = new Map<string, Entry>();
  const emitted: { topic: string; subject: string; data: string }[] = [];
  let revision = 0;

  const live = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    return entry !== undefined && entry.expiresAtMs > world.now() ? entry : undefined;
  };

  function conflict(key: string, expect: number | undefined): BrokerAnswer | undefined {
    const observed = live(key)?.revision ?? 0;
    return expect === undefined || expect === observed
      ? undefined
      : refuse("kv.conflict", `${key} is at revision ${observed}, not ${expect}.`);
  }

  function put({ key, value, expect, ttlSeconds }: Extract<BrokerRequest, { op: "kv.put" }>): BrokerAnswer {
    if (Buffer.byteLength(key) > limits.kvKeyMaxBytes)
      return refuse("kv.too_large", `The key has more than ${limits.kvKeyMaxBytes} bytes.`);
    if (Buffer.from(value, "base64").length > limits.kvValueMaxBytes)
      return refuse("kv.too_large", `The value has more than ${limits.kvValueMaxBytes} bytes.`);
    const refused = conflict(key, expect);
    if (refused !== undefined) return refused;
    revision += 1;
    entries.set(key, {
      value,
      revision,
      expiresAtMs: ttlSeconds === undefined ? Number.POSITIVE_INFINITY : world.now() + ttlSeconds * 1_000,
    });
    return { ok: { revision } satisfies BrokerResult<"kv.put"> };
  }

  function list({ prefix, after = "", limit }: Extract<BrokerRequest, { op: "kv.list-entries" }>): BrokerAnswer {
    const keys = [...entries.keys()].filter((key) => key.startsWith(prefix) && key > after && live(key) !== undefined).toSorted();
    const page = keys.slice(0, limit).flatMap((key) => {
      const entry = live(key);
      return entry === undefined ? [] : [{ key, value: entry.value, revision: entry.revision }];
    });
    const next = keys.length > page.length ? page.at(-1)?.key : undefined;
    return { ok: { entries: page, ...(next === undefined ? {} : { next }) } satisfies BrokerResult<"kv.list-entries"> };
  }

  function members({ after = "", limit }: Extract<BrokerRequest, { op: "members.list-members" }>): BrokerAnswer {
    const all = world.members.filter(({ id }) => id > after).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const page = all.slice(0, limit).map((member) => ({ ...member, roles: [...member.roles] }));
    const next = all.length > page.length ? page.at(-1)?.id : undefined;
    return { ok: { members: page, ...(next === undefined ? {} : { next }) } satisfies BrokerResult<"members.list-members"> };
  }

  function get(key: string): BrokerAnswer {
    const entry = live(key);
    return { ok: entry === undefined ? {} : { entry: { key, value: entry.value, revision: entry.revision } } };
  }

  function secret(name: string): BrokerAnswer {
    const value = Object.hasOwn(world.secrets, name) ? world.secrets[name] : undefined;
    return value === undefined ? refuse("secret.not_found", `There is no secret ${name}, or it expired.`) : { ok: { value } };
  }

  function answer(request: BrokerRequest): BrokerAnswer {
    switch (request.op) {
      case "kv.get":
        return get(request.key);
      case "kv.put":
        return put(request);
      case "kv.delete": {
        const refused = conflict(request.key, request.expect);
        if (refused === undefined) entries.delete(request.key);
        return refused ?? { ok: {} };
      }
      case "kv.list-entries":
        return list(request);
      case "secrets.get":
        return secret(request.name);
      case "secrets.substitute":
        // Without hosts of its own a secret goes nowhere: requests of a test reach no network.
        return {
          ok: {
            secrets: request.names.flatMap((name) =>
              Object.hasOwn(world.secrets, name) ? [{ name, value: world.secrets[name] ?? "", hosts: [] }] : [],
            ),
          },
        };
      case "events.emit":
        emitted.push({ topic: request.topic, subject: request.subject, data: request.data });
        return { ok: { id: `event-${emitted.length}` } };
      case "members.list-members":
        return members(request);
      case "schedule.postpone":
        return { ok: {} };
      default:
        return refuse("capability.unavailable", `${request.op} is not available: there is no community here.`);
    }
  }

  return { answer, emitted };
}
