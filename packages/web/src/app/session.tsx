/**
 * Who is here: the identity this browser keeps, the one client that speaks for it, and the user the server takes it for.
 *
 * Invariant: keys live in the client library and never in state of the pages; one client for the whole application, made when the identity is
 * known and closed when it is gone. A refusal that says the identity is no longer a user ends the session on every screen at once.
 */
import { hasCode, type User } from "@althing/contract";
import {
  createClient,
  createPackagesClient,
  loadBrowserIdentity,
  openIndexedDbState,
  removeIndexedDbState,
  removeBrowserIdentity,
  type AlthingClient,
  type Identity,
  type PackagesClient,
} from "@althing/client";
import type { QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useSyncExternalStore } from "react";
import { createPatientClient } from "./patient-client.ts";

export interface Session {
  readonly identity: Identity;
  readonly client: AlthingClient;
  /** Uploads of bundles and calls of extensions. */
  readonly packages: PackagesClient;
}

export type SessionState =
  | { readonly status: "loading" }
  /** This browser keeps no identity. */
  | { readonly status: "stranger" }
  /** It keeps one, and its owner signed out without taking the keys away. */
  | { readonly status: "out"; readonly identity: Identity }
  /** There is an identity, but this instance does not know it. */
  | { readonly status: "unknown"; readonly session: Session; readonly error: unknown }
  | { readonly status: "revoked"; readonly session: Session; readonly error: unknown }
  /** The server did not answer; tried again by itself. */
  | { readonly status: "unreachable"; readonly session: Session; readonly error: unknown }
  | { readonly status: "in"; readonly session: Session; readonly user: User };

export interface SessionStore {
  readonly state: SessionState;
  subscribe(listener: () => void): () => void;
  /** At the start of the page: as `enter`, unless its owner signed out. */
  begin(): Promise<SessionState>;
  /** Takes up the identity that this browser keeps now, and asks who it is. */
  enter(): Promise<SessionState>;
  /** What every failed call passes through. */
  judge(error: unknown): void;
  /** Ends the session; with `wipe` the keys leave this browser too. */
  leave(options: { readonly wipe: boolean }): Promise<void>;
}

const signedOutKey = "althing-signed-out";

export function createSessionStore(queries: QueryClient): SessionStore {
  const listeners = new Set<() => void>();
  let state: SessionState = { status: "loading" };
  let current: Session | undefined;
  const become = (next: SessionState): SessionState => {
    state = next;
    for (const listener of listeners) listener();
    return next;
  };

  async function openSession(identity: Identity): Promise<Session> {
    if (current?.identity.endpoint === identity.endpoint) return current;
    const urls = [location.origin];
    current = {
      identity,
      client: createPatientClient(createClient({ identity, urls, state: await openIndexedDbState(identity.endpoint) })),
      packages: createPackagesClient({ identity, urls }),
    };
    return current;
  }

  async function ask(session: Session): Promise<SessionState> {
    try {
      return become({ status: "in", session, user: await session.client.me() });
    } catch (error) {
      if (hasCode(error, "auth.revoked")) return become({ status: "revoked", session, error });
      if (hasCode(error, "auth.unknown_user")) return become({ status: "unknown", session, error });
      return become({ status: "unreachable", session, error });
    }
  }

  async function enter(): Promise<SessionState> {
    localStorage.removeItem(signedOutKey);
    const identity = await loadBrowserIdentity();
    return identity === undefined ? become({ status: "stranger" }) : ask(await openSession(identity));
  }

  async function end(): Promise<void> {
    const ended = current;
    current = undefined;
    queries.clear();
    await Promise.all([ended?.client.close(), ended?.packages.close()]);
  }

  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async begin() {
      const identity = await loadBrowserIdentity();
      if (identity !== undefined && localStorage.getItem(signedOutKey) !== null) return become({ status: "out", identity });
      return enter();
    },
    enter,
    judge(error) {
      if (current !== undefined && state.status === "in" && hasCode(error, "auth.revoked", "auth.unknown_user"))
        become({ status: hasCode(error, "auth.revoked") ? "revoked" : "unknown", session: current, error });
    },
    async leave({ wipe }) {
      const identity = await loadBrowserIdentity();
      await end();
      if (identity !== undefined && !wipe) {
        localStorage.setItem(signedOutKey, "1");
        become({ status: "out", identity });
        return;
      }
      localStorage.removeItem(signedOutKey);
      await removeBrowserIdentity();
      // What the library remembers of rooms: places read, pins, counters. A restored identity takes it from the server again.
      if (identity !== undefined) await removeIndexedDbState(identity.endpoint);
      // What the pages keep of this person: drafts, messages that were not sent, how far rooms were read.
      for (const name of Object.keys(localStorage))
        if (identity !== undefined && name.includes(identity.endpoint)) localStorage.removeItem(name);
      become({ status: "stranger" });
    },
  };
}

const SessionContext = createContext<SessionStore | undefined>(undefined);
export const SessionStoreProvider = SessionContext.Provider;

export function useSessionStore(): SessionStore {
  const store = useContext(SessionContext);
  if (store === undefined) throw new Error("no session store above this component");
  return store;
}

export function useSessionState(): SessionState {
  const store = useSessionStore();
  return useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => store.state,
  );
}

/** For screens below the shell, where somebody is in. */
export function useSession(): Session & { readonly user: User } {
  const state = useSessionState();
  if (state.status !== "in") throw new Error("this screen is shown to users only");
  return { ...state.session, user: state.user };
}
