/**
 * A messaging server that has bytes of its choice signed: NATS authentication is a signature over a nonce of the server's.
 *
 * What must hold: whatever the nonce says, it is signed by a key drawn for this one session, which is worth nothing elsewhere; the identity's key never
 * touches it. Shown with captured nonces in Node and in a real browser, and with an identity that writes down every byte it signs.
 */
import { createPublicKey, verify } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { createClient, identityFromPhrase, openMemoryState, type Identity } from "@althing/client";
import { fromHex } from "@althing/crypto";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startChromium } from "../browser/chromium.ts";
import { bundleVictim, openBrowserVictim } from "./browser-victim.ts";
import { startHostileWorld, type HostileWorld } from "./hostile-world.ts";
import { must } from "./scenario.ts";

/** What a server would like to have signed. */
const wanted = [
  '"@method": POST\n"@target-uri": http://127.0.0.1:8470/api/rooms/garden/kick\n"@signature-params": ("@method" "@target-uri");tag="althing"',
  "althing/frame/v1\u0000\u008d\u0001cmsg",
  "althing/epoch/v1\u0000\u00a1",
  "q2w3e4r5t6z7u8i9",
] as const;

interface Connect {
  readonly nkey: string;
  readonly sig: string;
}

let world: HostileWorld;
beforeAll(async () => {
  world = await startHostileWorld();
});
afterAll(async () => world?.[Symbol.asyncDispose]());

const infoOf = (nonce: string) =>
  `INFO ${JSON.stringify({ server_id: "X", server_name: "x", version: "2.15.1", proto: 1, headers: true, max_payload: 1_048_576, auth_required: true, nonce })}\r\n`;

/** `CONNECT {…}` out of what a client sent. */
function connectIn(text: string): Connect | undefined {
  const line = /^CONNECT (\{.*\})\r?$/m.exec(text)?.[1];
  return line === undefined ? undefined : (JSON.parse(line) as Connect);
}

function publicKey(raw: Uint8Array) {
  return createPublicKey({ key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]), format: "der", type: "spki" });
}

/** An nkey is one byte of prefix, 32 of key, two of checksum, in base 32. */
function keyOfNkey(nkey: string): Uint8Array {
  let bits = "";
  for (const letter of nkey) bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0");
  const bytes = Uint8Array.from({ length: 35 }, (_, i) => Number.parseInt(bits.slice(i * 8, i * 8 + 8), 2));
  return bytes.subarray(1, 33);
}

function expectSessionKeyOnly({ nkey, sig }: Connect, nonce: string, identity: Identity): void {
  const signature = Buffer.from(sig, "base64url");
  expect(verify(null, Buffer.from(nonce), publicKey(keyOfNkey(nkey)), signature)).toBe(true);
  expect(verify(null, Buffer.from(nonce), publicKey(fromHex(identity.signPub)), signature)).toBe(false);
  expect(Buffer.from(keyOfNkey(nkey)).toString("hex")).not.toBe(identity.signPub);
}

/** Takes connections, names the nonce, keeps what it got for it, and refuses. */
async function startNonceServer(nonce: string) {
  const got: Connect[] = [];
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => undefined);
    socket.write(infoOf(nonce));
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      const connect = connectIn(text);
      if (connect === undefined) return;
      got.push(connect);
      socket.end("-ERR 'Authorization Violation'\r\n");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  };
}

/** The same identity; every string that it signs is written down. */
function watched(identity: Identity): { identity: Identity; signed: string[] } {
  const signed: string[] = [];
  return {
    signed,
    identity: {
      ...identity,
      sign(kind, bytes) {
        signed.push(`${kind}: ${Buffer.from(bytes).toString("latin1")}`);
        return identity.sign(kind, bytes);
      },
      signHttpBase(base) {
        signed.push(base);
        return identity.signHttpBase(base);
      },
    },
  };
}

describe("a nonce of the server's choice", () => {
  test("is signed by the session's key and not by the identity's, in Node", async () => {
    const seen = new Set<string>();
    await Promise.all(
      wanted.map(async (nonce) => {
        await using server = await startNonceServer(nonce);
        const { identity, signed } = watched(await identityFromPhrase(world.victimPhrase));
        const client = createClient({ identity, urls: [world.proxy.url], nats: [server.url], state: openMemoryState() });
        await expect(client.connect()).rejects.toMatchObject({ code: "nats.unavailable" });
        await client.close();
        expect(server.got.length).toBeGreaterThan(0);
        for (const connect of server.got) expectSessionKeyOnly(connect, nonce, identity);
        expect(signed.length).toBeGreaterThan(0);
        for (const text of signed) expect(text.startsWith('"@method": ') && !text.includes(nonce)).toBe(true);
        seen.add(server.got[0]?.nkey ?? "");
      }),
    );
    expect(seen.size).toBe(wanted.length);
  });

  test("is signed by the session's key and not by the identity's, in a browser", { timeout: 40_000 }, async () => {
    const [browser, code]: [Browser, string] = await Promise.all([startChromium(), bundleVictim()]);
    try {
      const room = await world.foundRoom();
      for (const nonce of wanted.slice(0, 2)) {
        const victim = await openBrowserVictim(browser, world.proxy.url, code);
        const got: Connect[] = [];
        await victim.watched.page.routeWebSocket("**/api/bus", (socket) => {
          let text = "";
          socket.send(Buffer.from(infoOf(nonce)));
          socket.onMessage((message) => {
            text += message.toString();
            const connect = connectIn(text);
            if (connect === undefined) return;
            text = "";
            got.push(connect);
            socket.send(Buffer.from("-ERR 'Authorization Violation'\r\n"));
          });
        });
        must(await victim.start({ phrase: world.victimPhrase, url: world.proxy.url }));
        must(await victim.join(room.name));
        expect(await victim.listen(room.name, "now")).toMatchObject({ ok: false, code: "nats.unavailable" });
        await victim.watched.close();
        expect(got.length).toBeGreaterThan(0);
        for (const connect of got) expectSessionKeyOnly(connect, nonce, world.victimIdentity);
      }
    } finally {
      await browser.close();
    }
  });
});
