/** The allowlist: who comes in, who goes out, and what concurrent requests cannot break. */
import { randomBytes } from "node:crypto";
import type { Handle, InstanceRole, SignPub } from "@althing/contract";
import { identityFromSeeds } from "@althing/crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf, startBus, type Person, type World } from "../test/start-bus.ts";
import { newNkey } from "./nkey.ts";

let world: World;
let admin: Person;

beforeAll(async () => {
  world = await startBus({ limits: { sessionsPerUserMax: 3 } });
});
afterAll(() => world.stop());

const stranger = () => identityFromSeeds({ signSeed: new Uint8Array(randomBytes(32)), kexSeed: new Uint8Array(randomBytes(32)) });
const add = async (handle: string, role: InstanceRole = "member", signPub?: SignPub) =>
  world.bus.users.add(admin.caller, { signPub: signPub ?? (await stranger()).signPub, handle: handle as Handle, role });

describe("admin number 0", () => {
  it("comes by the one-time link or bootstrap, once, however many try at the same time", async () => {
    expect(await world.bus.users.claimable()).toBe(true);
    const old = await world.bus.users.issueAdminLink();
    const link = await world.bus.users.issueAdminLink();
    const people = await Promise.all([stranger(), stranger(), stranger()]);
    const claim = (index: number, token: string) =>
      world.bus.users.claim((people[index] as (typeof people)[0]).signPub, {
        token,
        handle: `first${index}` as Handle,
        keys: (people[index] as (typeof people)[0]).card,
      });
    expect(await codeOf(claim(0, old.token))).toBe("claim.invalid");
    expect(await codeOf(claim(0, "A".repeat(43)))).toBe("claim.invalid");
    const codes = await Promise.all([
      codeOf(claim(0, link.token)),
      codeOf(claim(1, link.token)),
      codeOf(
        world.bus.users.bootstrap({
          signPub: (people[2] as (typeof people)[0]).signPub,
          handle: "first2" as Handle,
          keys: (people[2] as (typeof people)[0]).card,
        }),
      ),
    ]);
    expect(codes.filter((code) => code === "(no error)")).toHaveLength(1);
    expect(codes.filter((code) => code === "bootstrap.closed")).toHaveLength(2);
    expect(await world.bus.users.claimable()).toBe(false);
    expect(await codeOf(world.bus.users.issueAdminLink())).toBe("bootstrap.closed");
    const winner = people[codes.indexOf("(no error)")] as (typeof people)[0];
    admin = { identity: winner, caller: await world.bus.users.authenticate(winner.signPub) };
    expect(admin.caller.role).toBe("admin");
  });

  it("has a link that ends after its hour", async () => {
    const other = await startBus();
    try {
      const link = await other.bus.users.issueAdminLink();
      other.clock.advance(60 * 60 * 1_000);
      const late = await stranger();
      expect(await codeOf(other.bus.users.claim(late.signPub, { token: link.token, handle: "late" as Handle, keys: late.card }))).toBe(
        "claim.invalid",
      );
    } finally {
      await other.stop();
    }
  });
});

describe("adding", () => {
  it("gives a handle once for ever, also to concurrent requests and after revocation", async () => {
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(add("kim"))));
    expect(codes.filter((code) => code === "(no error)")).toHaveLength(1);
    expect(codes.filter((code) => code === "user.handle_taken")).toHaveLength(7);
    const kim = await world.bus.users.identity(admin.caller, { identity: "kim" as Handle });
    await world.bus.users.revoke(admin.caller, { signPub: kim.signPub });
    expect(await codeOf(add("kim"))).toBe("user.handle_taken");
  });

  it("refuses a known key and leaves its row as it was", async () => {
    const user = await add("lou");
    expect(await codeOf(add("lou2", "admin", user.signPub))).toBe("user.exists");
    expect(await world.bus.users.authenticate(user.signPub)).toMatchObject({ handle: "lou", role: "member" });
    await world.bus.users.revoke(admin.caller, { signPub: user.signPub });
    expect(await codeOf(add("lou", "member", user.signPub))).toBe("user.exists");
    expect(await codeOf(world.bus.users.authenticate(user.signPub))).toBe("auth.revoked");
  });

  it("is for admins alone, by the row of now and not by what the request began with", async () => {
    const second = await stranger();
    await add("second", "admin", second.signPub);
    const caller = await world.bus.users.authenticate(second.signPub);
    await world.bus.users.revoke(admin.caller, { signPub: second.signPub });
    expect(
      await codeOf(world.bus.users.add(caller, { signPub: (await stranger()).signPub, handle: "ghost" as Handle, role: "member" })),
    ).toBe("auth.revoked");
    const member = await add("plain");
    const plain = await world.bus.users.authenticate(member.signPub);
    expect(
      await codeOf(world.bus.users.add({ ...plain, role: "admin" }, { signPub: second.signPub, handle: "x" as Handle, role: "member" })),
    ).toBe("auth.forbidden");
    expect(await codeOf(world.bus.users.list(plain, { limit: 10 }))).toBe("auth.forbidden");
    expect(await codeOf(world.bus.users.revoke(plain, { signPub: admin.identity.signPub }))).toBe("auth.forbidden");
    expect(await codeOf(world.bus.users.createInvitation(plain))).toBe("auth.forbidden");
    expect(await codeOf(world.bus.users.authenticate((await stranger()).signPub))).toBe("auth.unknown_user");
  });

  it("lists by signing key, page by page, everybody once", async () => {
    const seen: string[] = [];
    let after: SignPub | undefined;
    do {
      const page = await world.bus.users.list(admin.caller, { limit: 2, ...(after ? { after } : {}) });
      seen.push(...page.users.map((user) => user.signPub));
      after = page.next;
    } while (after);
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen.length).toBeGreaterThan(4);
  });
});

describe("revoking", () => {
  it("never leaves the instance without an admin, whoever revokes whom at the same time", async () => {
    expect(await codeOf(world.bus.users.revoke(admin.caller, { signPub: admin.identity.signPub }))).toBe("user.last_admin");
    const other = await stranger();
    await add("other-admin", "admin", other.signPub);
    const otherCaller = await world.bus.users.authenticate(other.signPub);
    const codes = await Promise.all([
      codeOf(world.bus.users.revoke(admin.caller, { signPub: admin.identity.signPub })),
      codeOf(world.bus.users.revoke(otherCaller, { signPub: other.signPub })),
    ]);
    expect(codes.sort()).toEqual(["(no error)", "user.last_admin"]);
    const left = (await codeOf(world.bus.users.authenticate(admin.identity.signPub))) === "(no error)" ? admin.identity : other;
    admin = { identity: left, caller: await world.bus.users.authenticate(left.signPub) };
    expect(await codeOf(world.bus.users.revoke(admin.caller, { signPub: admin.identity.signPub }))).toBe("user.last_admin");
  });

  it("an unknown or already revoked key is user.not_found", async () => {
    const user = await add("once");
    await world.bus.users.revoke(admin.caller, { signPub: user.signPub });
    expect(await codeOf(world.bus.users.revoke(admin.caller, { signPub: user.signPub }))).toBe("user.not_found");
    expect(await codeOf(world.bus.users.revoke(admin.caller, { signPub: (await stranger()).signPub }))).toBe("user.not_found");
  });
});

describe("invitations", () => {
  const join = async (token: string, handle: string) => {
    const identity = await stranger();
    return world.bus.users.join(identity.signPub, { token, handle: handle as Handle, keys: identity.card });
  };

  it("let one person in, however many use them at once; a refused use does not spend them", async () => {
    const { token } = await world.bus.users.createInvitation(admin.caller);
    expect(await codeOf(join(token, "plain"))).toBe("user.handle_taken");
    const codes = await Promise.all(Array.from({ length: 5 }, (_, index) => codeOf(join(token, `guest${index}`))));
    expect(codes.filter((code) => code === "(no error)")).toHaveLength(1);
    expect(codes.filter((code) => code === "invitation.invalid")).toHaveLength(4);
  });

  it("end with their time, with the right of who made them, and are not kept in the clear", async () => {
    const helper = await stranger();
    await add("helper", "admin", helper.signPub);
    const { token } = await world.bus.users.createInvitation(await world.bus.users.authenticate(helper.signPub));
    await world.bus.users.revoke(admin.caller, { signPub: helper.signPub });
    expect(await codeOf(join(token, "of-helper"))).toBe("invitation.invalid");
    const late = await world.bus.users.createInvitation(admin.caller);
    const raw = await world.store.collection({ name: "invitations", schema: (await import("zod")).z.unknown() }).list();
    expect(JSON.stringify(raw)).not.toContain(late.token);
    world.clock.advance(7 * 24 * 60 * 60 * 1_000);
    expect(await codeOf(join(late.token, "late"))).toBe("invitation.invalid");
    await world.bus.users.sweepInvitations();
  });

  it("take a key card only from the identity it is for", async () => {
    const { token } = await world.bus.users.createInvitation(admin.caller);
    const [one, two] = await Promise.all([stranger(), stranger()]);
    expect(await codeOf(world.bus.users.join(one.signPub, { token, handle: "forged" as Handle, keys: two.card }))).toBe(
      "user.bad_key_proof",
    );
    const user = await world.bus.users.join(one.signPub, { token, handle: "honest" as Handle, keys: one.card });
    const caller = await world.bus.users.authenticate(user.signPub);
    expect(await codeOf(world.bus.users.putKeys(caller, two.card))).toBe("user.bad_key_proof");
    expect((await world.bus.users.me(caller)).keys).toEqual(one.card);
    expect(await world.bus.users.identity(caller, { identity: "honest" as Handle })).toEqual(
      await world.bus.users.identity(caller, { identity: user.endpoint }),
    );
    expect(await codeOf(world.bus.users.identity(caller, { identity: "nobody" as Handle }))).toBe("user.not_found");
  });
});

describe("sessions", () => {
  const open = (person: Person, nkey: string) => world.bus.sessions.open(person.caller, { nkey: nkey as never });

  it("are as many as the limit, also opened at once, and a swept one makes room", async () => {
    const user = await stranger();
    await add("busy", "member", user.signPub);
    const person = { identity: user, caller: await world.bus.users.authenticate(user.signPub) };
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(open(person, newNkey().publicKey))));
    expect(codes.filter((code) => code === "(no error)")).toHaveLength(3);
    expect(codes.filter((code) => code === "session.too_many")).toHaveLength(2);
    world.clock.advance(12 * 60 * 60 * 1_000);
    expect(await codeOf(open(person, newNkey().publicKey))).toBe("(no error)");
  });

  it("that nobody is connected with make room for new ones; those in use do not", async () => {
    const user = await stranger();
    await add("reloader", "member", user.signPub);
    const person = { identity: user, caller: await world.bus.users.authenticate(user.signPub) };
    // As a page that is reloaded again and again: each leaves a session behind.
    const used = await world.session(person);
    for (let index = 0; index < 5; index++) {
      expect(await codeOf(open(person, newNkey().publicKey))).toBe("(no error)");
      world.clock.advance(60_000);
    }
    expect(used.nats.isClosed()).toBe(false);
    const others = [await world.session(person), await world.session(person)];
    world.clock.advance(60_000);
    expect(await codeOf(open(person, newNkey().publicKey))).toBe("session.too_many");
    await others[0]?.nats.close();
    await expect.poll(() => codeOf(open(person, newNkey().publicKey))).toBe("(no error)");
    expect(used.nats.isClosed()).toBe(false);
    await used.nats.flush();
  });

  it("take each key once, and never an identity's, the hub's or a misspelt one", async () => {
    const pair = newNkey();
    expect(await codeOf(open(admin, pair.publicKey))).toBe("(no error)");
    expect(await codeOf(open(admin, pair.publicKey))).toBe("session.nkey_taken");
    await world.bus.sessions.close(admin.caller, { nkey: pair.publicKey as never });
    expect(await codeOf(open(admin, pair.publicKey))).toBe("session.nkey_taken");
    expect(await codeOf(open(admin, world.config.hubNkey))).toBe("session.nkey_taken");
    expect(await codeOf(open(admin, world.config.systemNkey))).toBe("session.nkey_taken");
    const asNkey = identityNkey(Buffer.from(admin.identity.signPub, "hex"));
    expect(await codeOf(open(admin, asNkey))).toBe("session.nkey_taken");
    expect(await codeOf(open(admin, `${pair.publicKey.slice(0, -1)}${pair.publicKey.endsWith("A") ? "B" : "A"}`))).toBe("request.invalid");
  });
});

/** An Ed25519 public key written as a NATS user nkey. */
function identityNkey(key: Uint8Array): string {
  const raw = Buffer.concat([Buffer.from([20 << 3]), key]);
  let crc = 0;
  for (const byte of raw) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  const bytes = Buffer.concat([raw, Buffer.from([crc & 0xff, crc >> 8])]);
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? []).map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}
