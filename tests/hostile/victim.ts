/**
 * The person who is lied to: the client library behind calls that take and give plain JSON.
 *
 * Invariant: one source for Node and for a page in a browser, so that a lie is told to both in the same words; whatever the client says (results,
 * refusals, messages, warnings) is recorded in order and nothing is swallowed. What differs is a parameter: where keys and state are kept.
 */
import {
  createClient,
  fetchHealth,
  type AlthingClient,
  type ClientState,
  type Identity,
  type RoomEvent,
  type RoomHandle,
  type Since,
} from "@althing/client";
import { isAppError } from "@althing/contract";

export interface VictimPlace {
  openIdentity(phrase: string): Promise<Identity>;
  openState(name: string): Promise<ClientState>;
}

export interface VictimSetup {
  readonly phrase: string;
  readonly url: string;
  readonly nats?: readonly string[];
  /** How old knowledge of a room may be when something is sent. */
  readonly roomFreshMs?: number;
}

export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface Heard {
  readonly room: string;
  readonly kind: RoomEvent["kind"];
  readonly text?: string;
  readonly handle?: string;
  readonly epoch?: number;
}

export interface Warned {
  readonly code: string;
  readonly message: string;
}

/** What to wait for: a message, or a warning. */
export interface Expected {
  readonly room?: string;
  readonly text?: string;
  readonly warning?: string;
}

/** Any of them may be called over the wire of a browser's debugger; all values are JSON. */
export interface Victim {
  start(setup: VictimSetup): Promise<Outcome>;
  /** The same person later: a new run on the same state. */
  restart(): Promise<Outcome>;
  /** The same person on another device: nothing is remembered. */
  forget(): Promise<Outcome>;
  open(room: string): Promise<Outcome>;
  join(room: string): Promise<Outcome>;
  info(room: string): Promise<Outcome>;
  send(room: string, text: string): Promise<Outcome>;
  listen(room: string, since: Since): Promise<Outcome>;
  texts(room: string): Promise<Outcome>;
  members(room: string): Promise<Outcome>;
  invite(room: string, who: string): Promise<Outcome>;
  safetyNumber(who: string): Promise<Outcome>;
  me(): Promise<Outcome>;
  health(): Promise<Outcome>;
  store(text: string): Promise<Outcome>;
  fetchBlob(hash: string, key: string): Promise<Outcome>;
  stats(room: string): Promise<Outcome>;
  heard(): Promise<readonly Heard[]>;
  warned(): Promise<readonly Warned[]>;
  until(expected: Expected, timeoutMs?: number): Promise<boolean>;
  stop(): Promise<void>;
}

class Records {
  heard: Heard[] = [];
  warned: Warned[] = [];
  readonly #waiting = new Set<() => void>();

  note(): void {
    for (const look of this.#waiting) look();
  }

  has({ room, text, warning }: Expected): boolean {
    if (warning !== undefined) return this.warned.some((one) => one.code === warning);
    return this.heard.some((one) => one.text === text && (room === undefined || one.room === room));
  }

  until(expected: Expected, timeoutMs: number): Promise<boolean> {
    if (this.has(expected)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (found: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found);
      };
      const look = () => (this.has(expected) ? end(true) : undefined);
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#waiting.add(look);
    });
  }
}

export function createVictim(place: VictimPlace): Victim {
  const records = new Records();
  let setup: VictimSetup | undefined;
  let identity: Identity | undefined;
  let client: AlthingClient | undefined;
  let stateCount = 0;

  const stateName = () => `${setup?.url ?? ""}/${stateCount}`;
  const attempt = async (task: () => Promise<unknown>): Promise<Outcome> => {
    try {
      return { ok: true, value: (await task()) ?? null };
    } catch (error) {
      if (isAppError(error)) return { ok: false, code: error.code, message: error.message };
      return { ok: false, code: "untyped", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  const running = (): AlthingClient => {
    if (client === undefined) throw new Error("the victim was not started");
    return client;
  };
  const room = (name: string): Promise<RoomHandle> => running().rooms.open(name);

  async function begin(): Promise<void> {
    await client?.close();
    if (setup === undefined || identity === undefined) throw new Error("the victim was not started");
    records.heard = [];
    records.warned = [];
    const { url, nats, roomFreshMs } = setup;
    client = createClient({
      identity,
      urls: [url],
      state: await place.openState(stateName()),
      ...(nats === undefined ? {} : { nats }),
      ...(roomFreshMs === undefined ? {} : { roomFreshMs }),
    });
    client.on("warning", (warning) => {
      records.warned.push({ code: warning.code, message: warning.message });
      records.note();
    });
  }

  function hear(name: string, event: RoomEvent): void {
    const { kind } = event;
    const text = kind === "epoch" ? event.reason : event.text;
    const handle = kind === "epoch" ? undefined : event.handle;
    records.heard.push({
      room: name,
      kind,
      ...(text === undefined ? {} : { text }),
      ...(handle === undefined ? {} : { handle }),
      ...(event.epoch === undefined ? {} : { epoch: event.epoch }),
    });
    records.note();
  }

  return {
    start: (given) =>
      attempt(async () => {
        setup = given;
        identity = await place.openIdentity(given.phrase);
        stateCount += 1;
        await begin();
      }),
    restart: () => attempt(begin),
    forget: () =>
      attempt(async () => {
        stateCount += 1;
        await begin();
      }),
    open: (name) => attempt(async () => (await room(name)).id),
    join: (name) => attempt(async () => (await running().rooms.join(name)).status),
    info: (name) => attempt(async () => (await room(name)).info()),
    send: (name, text) => attempt(async () => (await room(name)).send(text)),
    listen: (name, since) => attempt(async () => void (await (await room(name)).subscribe((event) => hear(name, event), { since }))),
    texts: (name) =>
      attempt(async () =>
        (await (await room(name)).history({ limit: 100 })).flatMap((event) => (event.kind === "message" ? [event.text ?? ""] : [])),
      ),
    members: (name) => attempt(async () => (await (await room(name)).members()).map((member) => member.handle)),
    invite: (name, who) => attempt(async () => (await room(name)).invite(who)),
    safetyNumber: (who) => attempt(() => running().safetyNumber(who)),
    me: () => attempt(() => running().me()),
    health: () => attempt(() => fetchHealth(setup?.url ?? "")),
    store: (text) => attempt(() => running().putBlob(new TextEncoder().encode(text))),
    fetchBlob: (hash, key) => attempt(async () => new TextDecoder().decode(await running().getBlob(hash, key))),
    stats: (name) => attempt(async () => (await room(name)).stats()),
    heard: async () => records.heard,
    warned: async () => records.warned,
    until: (expected, timeoutMs = 8_000) => records.until(expected, timeoutMs),
    async stop() {
      await client?.close();
      client = undefined;
    },
  };
}
