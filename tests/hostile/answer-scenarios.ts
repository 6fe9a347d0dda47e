/**
 * Lies about people, and answers that are none.
 */
import type { PublicIdentity } from "@althing/contract";
import { identityFromSeeds, randomBytes } from "@althing/crypto";
import type { RequestAction, RequestView } from "@althing/testkit";
import { expect } from "vitest";
import { lieAbout, type HostileWorld } from "./hostile-world.ts";
import { expectRefused, must, type Scenario } from "./scenario.ts";
import type { Victim } from "./victim.ts";

const impostor = () => identityFromSeeds({ signSeed: randomBytes(32), kexSeed: randomBytes(32) });

const people: readonly Scenario[] = [
  {
    name: "another key behind a known handle is refused, and nobody is invited by it",
    async run(world, victim) {
      must(await victim.safetyNumber("alice"));
      const other = await impostor();
      world.lie(
        lieAbout("identities.get", (row: PublicIdentity) => ({
          ...row,
          signPub: other.signPub,
          endpoint: other.endpoint,
          keys: other.card,
        })),
      );
      expectRefused(await victim.safetyNumber("alice"), "pin.changed");
      must(await victim.restart());
      expectRefused(await victim.safetyNumber("alice"), "pin.changed");
    },
  },
  {
    name: "a key-agreement key that the identity did not sign is refused, at first sight as well",
    async run(world, victim) {
      const other = await impostor();
      world.lie(lieAbout("identities.get", (row: PublicIdentity) => ({ ...row, keys: other.card })));
      expectRefused(await victim.safetyNumber("alice"), "pin.forged");
    },
  },
  {
    name: "an endpoint that is not the key's is refused",
    async run(world, victim) {
      const other = await impostor();
      world.lie(lieAbout("identities.get", (row: PublicIdentity) => ({ ...row, endpoint: other.endpoint })));
      expectRefused(await victim.safetyNumber("alice"), "pin.forged");
    },
  },
  {
    name: "somebody else than the one asked for is refused",
    async run(world, victim) {
      const bob = await world.alice.client.identityOf("bob");
      world.lie(lieAbout("identities.get", () => bob));
      expectRefused(await victim.safetyNumber("alice"), "client.bad_answer");
    },
  },
  {
    name: "a server that says the caller is somebody else is refused",
    async run(world, victim) {
      const bob = await world.bob.client.me();
      world.lie(lieAbout("me.get", () => bob));
      expectRefused(await victim.me(), "client.bad_answer");
    },
  },
  {
    name: "a blob with other bytes than its hash is refused",
    async run(world, victim) {
      const stored = must(await victim.store("a picture of the garden")) as { hash: string; key: string };
      expect(must(await victim.fetchBlob(stored.hash, stored.key))).toBe("a picture of the garden");
      world.lie({
        onRequest: ({ route }) =>
          route === "blobs.get"
            ? { answer: { status: 200, headers: { "content-type": "application/octet-stream" }, body: randomBytes(64) } }
            : undefined,
      });
      expectRefused(await victim.fetchBlob(stored.hash, stored.key), "client.bad_answer");
    },
  },
];

interface BadAnswer {
  readonly what: string;
  readonly answer: Exclude<RequestAction, undefined | void | "drop">;
  readonly code?: string;
}

const html = { "content-type": "text/html" };
const json = { "content-type": "application/json" };
const badAnswers: readonly BadAnswer[] = [
  {
    what: "HTML with status 200",
    answer: { answer: { status: 200, headers: html, body: "<html><body>Welcome to the hotel's network</body></html>" } },
  },
  { what: "HTML with status 500", answer: { answer: { status: 500, headers: html, body: "<h1>Internal Server Error</h1>" } } },
  { what: "malformed JSON", answer: { answer: { status: 200, headers: json, body: '{"signPub": ' } } },
  { what: "JSON that is not UTF-8", answer: { answer: { status: 200, headers: json, body: Uint8Array.from([0x22, 0xff, 0xfe, 0x22]) } } },
  { what: "JSON nested 100,000 deep", answer: { answer: { status: 200, headers: json, body: "[".repeat(100_000) } } },
  { what: "another schema", answer: { answer: { status: 200, json: { signPub: 7, __proto__: { endpoint: "x" } } } } },
  { what: "an empty body", answer: { answer: { status: 200, headers: json, body: "" } } },
  { what: "an answer of 33 MiB", answer: { answer: { status: 200, headers: json, body: `"${"x".repeat(33 * 1024 * 1024)}"` } } },
  { what: "a redirect to another host", answer: { answer: { status: 302, headers: { location: "http://127.0.0.1:9/api/me" }, body: "" } } },
  { what: "a redirect that keeps the method", answer: { answer: { status: 308, headers: { location: "/healthz" }, body: "" } } },
  {
    what: "an unknown problem code",
    answer: {
      answer: {
        status: 400,
        json: { type: "x", title: "x", status: 400, detail: "x", code: "made.up", fix: "x", retry: false, requestId: "x", params: {} },
      },
    },
  },
  { what: "a status that the route does not have", answer: { answer: { status: 206, json: {} } } },
];

function answering(routes: readonly string[], answer: BadAnswer["answer"]): (request: RequestView) => RequestAction {
  return ({ route }) => (route !== undefined && routes.includes(route) ? answer : undefined);
}

const nonsense: readonly Scenario[] = badAnswers.map(({ what, answer, code = "client.bad_answer" }) => ({
  name: `${what} is refused with a typed error, for reading, writing, blobs and the posture`,
  async run(world: HostileWorld, victim: Victim) {
    world.lie({ onRequest: answering(["me.get", "rooms.get", "blobs.put", "health.get", "rooms.join"], answer) });
    expectRefused(await victim.me(), code);
    expectRefused(await victim.join("room-1"), code);
    expectRefused(await victim.store("text"), code);
    expectRefused(await victim.health(), code);
  },
}));

const connections: readonly Scenario[] = [
  {
    name: "a connection that is cut before an answer is unreachable, and a later call works",
    async run(world, victim) {
      world.lie({ onRequest: () => "drop" });
      expectRefused(await victim.me(), "client.unreachable");
      world.honest();
      must(await victim.me());
    },
  },
  {
    name: "a session for another key than the one drawn is refused",
    async run(world, victim) {
      const room = await world.foundRoom();
      must(await victim.join(room.name));
      world.lie(lieAbout("session.open", (session: { nkey: string }) => ({ ...session, nkey: `U${"A".repeat(55)}` })));
      expectRefused(await victim.send(room.name, "hello"), "client.bad_answer");
    },
  },
];

export const answerScenarios: readonly Scenario[] = [...people, ...nonsense, ...connections];
