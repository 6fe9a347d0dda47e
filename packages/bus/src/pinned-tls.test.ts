/** The bus over TLS: to the certificate in the file and to no other, without asking names or authorities. */
import { copyFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { tempDir } from "@althing/testkit";
import { afterEach, beforeAll, afterAll, describe, expect, it } from "vitest";
import { makeCertificate, type CertificateFiles } from "../test/make-certificate.ts";
import { codeOf, foundRoom, inviteTo, startBus, type World } from "../test/start-bus.ts";
import { nativeNkeyAuthenticator } from "./nkey-authenticator.ts";
import { newNkey } from "./nkey.ts";
import { connectBus } from "./nats-connection.ts";

const dir = await tempDir();
let authority: CertificateFiles;
let own: CertificateFiles;
let cousin: CertificateFiles;
let selfMade: CertificateFiles;
let world: World | undefined;

beforeAll(async () => {
  authority = await makeCertificate(dir.path, "authority", { isAuthority: true });
  own = await makeCertificate(dir.path, "own", { issuer: authority });
  cousin = await makeCertificate(dir.path, "cousin", { issuer: authority });
  selfMade = await makeCertificate(dir.path, "self-made");
});
afterAll(() => dir.remove());
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

const keys = { hubSeed: newNkey().seed, systemSeed: newNkey().seed };

describe("a bus with a certificate", () => {
  it.each(["self-made", "from a private authority"])("%s and no name of this machine: works, and revocation closes", async (what) => {
    world = await startBus({ tls: what === "self-made" ? selfMade : own });
    const [ann, bob] = [await world.person("ann"), await world.person("bob")];
    const { held } = await foundRoom(world, ann, "room");
    await inviteTo(world, held, ann, bob);
    const pair = newNkey();
    const session = await world.bus.sessions.open(bob.caller, { nkey: pair.publicKey as never });
    const nats = await connect({
      servers: world.url,
      tls: { caFile: what === "self-made" ? selfMade.certFile : authority.certFile, checkServerIdentity: () => undefined } as object,
      authenticator: nativeNkeyAuthenticator(pair.seed),
      inboxPrefix: `_INBOX.${session.inbox}`,
      reconnect: false,
    });
    const closed = nats.closed();
    await world.bus.users.revoke(ann.caller, { signPub: bob.identity.signPub });
    await closed;
  });

  it("goes on after a renewal: with the server still on the old certificate, and with the new one", async () => {
    const tls = { certFile: join(dir.path, "live.crt"), keyFile: join(dir.path, "live.key") };
    const put = (files: CertificateFiles) => Promise.all([copyFile(files.certFile, tls.certFile), copyFile(files.keyFile, tls.keyFile)]);
    await put(own);
    world = await startBus({ tls });
    await world.person("ann");
    await put(selfMade);
    const { account, system } = world.connection;
    await Promise.all([account.reconnect(), system?.reconnect()]);
    await expect.poll(() => world?.bus.acl.state, { timeout: 5_000 }).toBe("live");
    await world.stopServer();
    await world.startServer();
    await expect.poll(() => world?.connection.connected() && world.bus.acl.state, { timeout: 5_000 }).toBe("live");
  });
});

describe("the hub's own connection", () => {
  it("is refused to a server that shows another certificate, even one of the same authority", async () => {
    world = await startBus({ tls: own });
    for (const certFile of [cousin.certFile, selfMade.certFile, authority.certFile]) {
      const refused = connectBus({ url: world.url, ...keys, certFile, timeoutMs: 2_000 });
      expect(await codeOf(refused)).toBe("nats.unavailable");
      await expect(refused).rejects.toThrow(/certificate|CERT/);
    }
    expect(await codeOf(connectBus({ url: world.url, ...keys, timeoutMs: 2_000 }))).toBe("nats.unavailable");
  });

  it("is refused to who offers no encryption, before anything is sent", async () => {
    let heard = 0;
    const impostor: Server = createServer((socket) => {
      socket.on("data", (bytes: Buffer) => (heard += bytes.length)).on("error", () => undefined);
      socket.write(`INFO ${JSON.stringify({ server_id: "x", version: "2.15.1", proto: 1, nonce: "n", max_payload: 1024 })}\r\n`);
    });
    impostor.listen(0, "127.0.0.1");
    await once(impostor, "listening");
    const { port } = impostor.address() as { port: number };
    try {
      const url = `nats://127.0.0.1:${port}`;
      const refused = connectBus({ url, ...keys, certFile: own.certFile, timeoutMs: 2_000 });
      await expect(refused).rejects.toThrow(/does not support 'tls'/);
      expect(heard).toBe(0);
    } finally {
      impostor.close();
    }
  });
});
