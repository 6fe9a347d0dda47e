/**
 * A served hub with a community, somebody in it, and its public log as people read it: pages, and streams frame by frame.
 *
 * Invariant: everything goes over HTTP but the acts, which are written as any act of the plane is, and the permissions of a role.
 */
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { openCommunityCollections, type EventDraft } from "@althing/community";
import type { CommunityId, EndpointId, PublicEvent } from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { callAs, newIdentity, serveHub, signedCall, type Answered, type ServedHub, type ServeOptions } from "./serve-hub.ts";

export interface Frame {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}
export interface Tail {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly frames: Frame[];
  readonly comments: () => number;
  /** Stops reading from the socket. */
  pause(): void;
  resume(): void;
  /** Resolves when so many events have come. */
  events(count: number): Promise<number[]>;
  readonly ended: Promise<void>;
  cutCode(): string | undefined;
  readonly body: () => string;
  close(): void;
}

export interface Garden {
  readonly served: ServedHub;
  /** A member of the community `garden`. */
  readonly bob: Identity;
  readonly garden: CommunityId;
  user(handle: string): Promise<Identity>;
  join(identity: Identity, roles?: readonly string[]): Promise<void>;
  /** One act each. @returns the index of the last event */
  happen(...drafts: readonly EventDraft[]): Promise<number>;
  /** Below the community's events. */
  get(path: string, as?: Identity): Promise<Answered>;
  list(query: string, as?: Identity): Promise<{ readonly events: PublicEvent[]; readonly next?: number }>;
  setPermissions(role: "observer", permissions: readonly string[]): Promise<void>;
  tail(as: Identity, query?: string, headers?: Record<string, string>, at?: { readonly url: string }): Promise<Tail>;
  closeTails(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export const drafted = (name: string | number, by: EndpointId): EventDraft => ({
  ...{ topic: "proposal.created", actor: { kind: "member", endpoint: by }, subject: `proposal/${name}`, summary: "A proposal was drafted" },
  data: { proposal: String(name) },
});

function expectStatus(answer: Answered, status: number): Answered {
  if (answer.status !== status) throw new Error(`${answer.status} in place of ${status}: ${answer.text}`);
  return answer;
}

export async function openGarden(options: ServeOptions = {}): Promise<Garden> {
  const served = await serveHub(options);
  const post = async (path: string, body: unknown) =>
    expectStatus(await callAs(served, served.admin, { method: "POST", path, body }), 201).json;
  const garden = (await post("/api/communities", { name: "garden" }))["id"] as CommunityId;
  const open: Tail[] = [];
  const user = async (handle: string): Promise<Identity> => {
    const identity = await newIdentity();
    await post("/api/users", { signPub: identity.signPub, handle, role: "member" });
    return identity;
  };
  const join = async (identity: Identity, roles: readonly string[] = ["member"]): Promise<void> => {
    await post(`/api/communities/${garden}/members`, { identity: identity.endpoint, roles });
  };
  const bob = await user("bob");
  await join(bob);
  const get = (path: string, as: Identity = bob) => callAs(served, as, { method: "GET", path: `/api/communities/garden/events${path}` });
  return {
    ...{ served, bob, garden, user, join, get },
    async happen(...drafts) {
      const { events } = served.extensions.community;
      for (const draft of drafts) await events.act(garden, () => Promise.resolve({ writes: [], events: [draft], result: 0 }));
      return (await events.head(garden)).index;
    },
    list: async (query, as = bob) => (await get(query, as)).json as unknown as { events: PublicEvent[]; next?: number },
    async setPermissions(role, permissions) {
      const { roles } = openCommunityCollections(served.state.store);
      const row = await roles.get([garden, role]);
      await roles.put([garden, role], { ...row?.value, permissions: [...permissions] });
    },
    async tail(as, query = "", headers = {}, at = served) {
      const made = await openTail(as, query, headers, at.url);
      open.push(made);
      return made;
    },
    closeTails() {
      for (const tail of open.splice(0)) tail.close();
    },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** Opens a stream as a browser would read it, frame by frame. */
export async function openTail(as: Identity, query: string, headers: Record<string, string>, url: string): Promise<Tail> {
  const call = await signedCall(url, as, { method: "GET", path: `/api/communities/garden/events/stream${query}` });
  const sent: ClientRequest = request(call.url, { method: "GET", headers: { ...call.headers, ...headers }, agent: false });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve);
    sent.once("error", reject);
    sent.end();
  });
  let text = "";
  let whole = "";
  let comments = 0;
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  response.setEncoding("utf8");
  response.on("data", (part: string) => {
    whole += part;
    const blocks = (text + part).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      if (block.startsWith(":")) comments += 1;
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
      const data = field("data");
      if (data !== undefined) frames.push({ id: field("id"), event: field("event") ?? "message", data });
    }
    for (const wake of waiting) wake();
  });
  const ended = new Promise<void>((resolve) => response.once("close", resolve));
  response.on("error", () => undefined);
  const indexes = () => frames.filter(({ event }) => event === "message").map(({ id }) => Number(id));
  const made: Tail = {
    ...{ status: response.statusCode ?? 0, headers: response.headers, frames, ended, comments: () => comments, body: () => whole },
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    events: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (indexes().length < count) return;
          waiting.delete(check);
          resolve(indexes());
        };
        waiting.add(check);
        check();
      }),
    cutCode: () => {
      const cut = frames.find(({ event }) => event === "cut");
      return cut === undefined ? undefined : (JSON.parse(cut.data) as { code: string }).code;
    },
    close: () => sent.destroy(),
  };
  return made;
}
