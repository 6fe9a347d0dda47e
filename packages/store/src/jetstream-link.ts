/**
 * Questions to the server that end when the connection is lost or the stream has another leader, instead of waiting for an answer that cannot come any more.
 *
 * Invariant: `again` is for questions that change nothing: it asks anew after a reconnect and after silence, within one time limit; `once` fails at
 * once and leaves it to the caller to find out what happened. The client library itself keeps such a request until its timeout, and
 * takes two stack traces for each (8 % of a compare-and-set): hence `request`, on one inbox for all answers.
 */
import { AppError } from "@althing/contract";
import { createInbox, errors, type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { isNobodyThere, NobodyThere } from "./jetstream-failure.ts";

/** Between two questions that nobody took. */
const nobodyWaitMs = 25;
/** What was asked of a new leader before its word reached us is answered by then. */
const newLeaderMs = 100;

const nobodyWait = () => new Promise((resolve) => setTimeout(resolve, nobodyWaitMs));

class Interrupted extends Error {
  constructor(why: string) {
    super(why);
    this.name = "Interrupted";
  }
}

export interface JetStreamLink {
  /** One message and its answer, like `once`; no answer in time is an error. */
  request(subject: string, payload: string, header: MsgHdrs): Promise<Msg>;
  once<T>(ask: () => Promise<T>): Promise<T>;
  /** Asks again as long as nobody takes the question, within the time limit: nothing was done then. Everything else fails at once. */
  taken<T>(ask: () => Promise<T>): Promise<T>;
  again<T>(ask: () => Promise<T>): Promise<T>;
  close(): void;
}

export interface JetStreamLinkOptions {
  readonly connection: NatsConnection;
  /** What it is asked about: what a leader that died was asked is lost, and the servers tell of the next one. */
  readonly stream: string;
  readonly timeoutMs: number;
  /** Called after each reconnect. */
  readonly reconnected?: () => void;
}

export function createJetStreamLink({ connection, stream, timeoutMs, reconnected }: JetStreamLinkOptions): JetStreamLink {
  const asking = new Set<(error: Error) => void>();
  const waiting = new Set<() => void>();
  let connected = true;
  let closed = false;

  const wake = () => {
    for (const go of waiting) go();
    waiting.clear();
  };
  const follow = async () => {
    for await (const status of connection.status()) {
      if (closed) return;
      if (status.type === "disconnect") {
        connected = false;
        for (const fail of [...asking]) fail(new Interrupted("the connection was lost"));
      }
      if (status.type === "reconnect") {
        connected = true;
        wake();
        reconnected?.();
      }
    }
  };
  void follow();
  void connection.closed().then(wake);

  const loseBefore = () => {
    const lost = [...asking];
    setTimeout(() => {
      for (const fail of lost) if (asking.has(fail)) fail(new Interrupted("the stream has another leader"));
    }, newLeaderMs).unref();
  };
  const elections = connection.subscribe(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${stream}`, {
    callback: (error) => {
      if (error === null) loseBefore();
    },
  });

  /** What is sent into a broken connection may be lost without an error. */
  const untilConnected = async () => {
    if (connected || connection.isClosed()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    waiting.add(resolve);
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
    if (!connected) throw new AppError("store.unavailable", { detail: "the connection is lost" });
  };

  const once = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (!connected) await untilConnected();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    asking.add(reject);
    ask().then(resolve, reject);
    return promise.finally(() => asking.delete(reject));
  };

  const inbox = `${createInbox()}.`;
  const answers = new Map<string, (answer: Msg) => void>();
  const subscription = connection.subscribe(`${inbox}*`, {
    callback: (error, answer) => {
      if (error === null) answers.get(answer.subject)?.(answer);
    },
  });
  let asked = 0;
  const exchange = (subject: string, payload: string, header: MsgHdrs): Promise<Msg> =>
    new Promise<Msg>((resolve, reject) => {
      const reply = inbox + String((asked += 1));
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const timer = setTimeout(() => fail(new AppError("store.unavailable", { detail: "no answer in time" })), timeoutMs);
      const end = () => {
        clearTimeout(timer);
        answers.delete(reply);
        asking.delete(fail);
      };
      asking.add(fail);
      answers.set(reply, (answer) => {
        end();
        if (answer.data.length === 0 && answer.headers?.code === 503) reject(new NobodyThere());
        else resolve(answer);
      });
      try {
        connection.publish(subject, payload, { reply, headers: header });
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });

  return {
    async request(subject, payload, header) {
      if (!connected) await untilConnected();
      return exchange(subject, payload, header);
    },
    once,
    async taken(ask) {
      for (const startedMs = performance.now(); ;) {
        try {
          return await ask();
        } catch (error) {
          if (!isNobodyThere(error) || performance.now() - startedMs > timeoutMs) throw error;
          await nobodyWait();
        }
      }
    },
    async again(ask) {
      const startedMs = performance.now();
      for (;;) {
        try {
          return await once(ask);
        } catch (error) {
          const isWorthAnother = error instanceof Interrupted || error instanceof errors.TimeoutError || isNobodyThere(error);
          if (!isWorthAnother || performance.now() - startedMs > timeoutMs) throw error;
          if (isNobodyThere(error)) await nobodyWait();
        }
      }
    },
    close() {
      closed = true;
      subscription.unsubscribe();
      elections.unsubscribe();
    },
  };
}
