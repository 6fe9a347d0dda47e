/**
 * Messages on their way out of one room, in the order they were typed.
 *
 * Invariant: one is under way at a time, so order holds across every failure; a message keeps its id, and before it is sent again history is asked
 * whether it has arrived, so it goes out once. What only waits for a connection waits by itself; what the server refused waits for the person.
 */
import { hasCode, isAppError } from "@althing/contract";
import type { Sent } from "@althing/client";
import type { Unsent } from "./kept.ts";

export interface Outgoing {
  readonly message: Unsent;
  /** `sent`: stored, and about to come back as a message of the room. */
  readonly state: "waiting" | "sending" | "sent" | "unconfirmed" | "refused";
  readonly error?: unknown;
}

export interface SendQueueDeps {
  readonly send: (message: Unsent) => Promise<Sent>;
  /** Was it stored by an attempt before? */
  readonly isStored: (message: Unsent) => Promise<boolean>;
  readonly isConnected: () => boolean;
  readonly onChange: (list: readonly Outgoing[]) => void;
}

export interface SendQueue {
  readonly list: readonly Outgoing[];
  add(message: Unsent): void;
  /** Messages of an earlier page: perhaps they were stored. */
  restore(messages: readonly Unsent[]): void;
  retry(id: string): void;
  discard(id: string): void;
  /** It was seen in the room. */
  seen(id: string): void;
  /** There is a connection again. */
  wake(): void;
}

/** What nats.js throws where a connection ends under whoever uses it. */
const lostConnection = /^(?:ClosedConnection|DrainingConnection|Connection|Request|Timeout)Error$/;

/** Would the same send have a hope when the connection is back? */
export function isPassing(error: unknown): boolean {
  if (!isAppError(error)) return error instanceof Error && lostConnection.test(error.name);
  return error.status === 503 || hasCode(error, "client.unreachable", "client.closed", "nats.unavailable", "request.rate_limited");
}

export function createSendQueue(deps: SendQueueDeps): SendQueue {
  let list: readonly Outgoing[] = [];
  /** Of these an attempt may have arrived. */
  const tried = new Set<string>();
  let running = false;
  const become = (next: readonly Outgoing[]) => {
    list = next;
    deps.onChange(next);
  };
  const find = (id: string) => list.find(({ message }) => message.id === id);
  const put = (outgoing: Outgoing) => become(list.map((one) => (one.message.id === outgoing.message.id ? outgoing : one)));
  const remove = (id: string) => {
    tried.delete(id);
    if (find(id) !== undefined) become(list.filter(({ message }) => message.id !== id));
  };

  /** @returns may the next one go? */
  async function sendOne({ message }: Outgoing): Promise<boolean> {
    put({ message, state: "sending" });
    try {
      if (tried.has(message.id) && (await deps.isStored(message))) {
        remove(message.id);
        return true;
      }
      tried.add(message.id);
      await deps.send(message);
      if (find(message.id) !== undefined) put({ message, state: "sent" });
      return true;
    } catch (error) {
      if (find(message.id) === undefined) return true;
      if (isPassing(error)) put({ message, state: "waiting" });
      else if (hasCode(error, "client.send_unconfirmed")) put({ message, state: "unconfirmed", error });
      else {
        put({ message, state: "refused", error });
        return true;
      }
      return false;
    }
  }

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    try {
      for (;;) {
        const next = list.find(({ state }) => state === "waiting" || state === "unconfirmed");
        if (next === undefined || next.state === "unconfirmed" || !deps.isConnected() || !(await sendOne(next))) return;
      }
    } finally {
      running = false;
    }
  }

  return {
    get list() {
      return list;
    },
    add(message) {
      become([...list, { message, state: "waiting" }]);
      void run();
    },
    restore(messages) {
      for (const { id } of messages) tried.add(id);
      become([...messages.map((message) => ({ message, state: "waiting" as const })), ...list]);
      void run();
    },
    retry(id) {
      const found = find(id);
      if (found === undefined) return;
      put({ message: found.message, state: "waiting" });
      void run();
    },
    discard: remove,
    seen: remove,
    wake() {
      if (list.some(({ state }) => state === "unconfirmed"))
        become(list.map((one) => (one.state === "unconfirmed" ? { message: one.message, state: "waiting" } : one)));
      void run();
    },
  };
}
