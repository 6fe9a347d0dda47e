/** The generated texts, judged by nats-server itself. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findNatsServer, tempDir } from "@althing/testkit";
import { describe, expect, it } from "vitest";
import {
  aclConfig,
  aclEntry,
  aclPermissions,
  fenceConfig,
  natsConfig,
  type NatsClusterInput,
  type NatsConfigInput,
} from "./nats-config.ts";
import { checkNatsVersion } from "./nats-connection.ts";
import { nkeyBytes, nkeyOfSeed, newNkey } from "./nkey.ts";

const hub = newNkey().publicKey;
const system = newNkey().publicKey;
const name = "A".repeat(22);

function inputFor(dir: string, more: Partial<NatsConfigInput> = {}): NatsConfigInput {
  return {
    serverName: "n1",
    host: "127.0.0.1",
    port: 4250,
    websocketPort: 4251,
    storeDir: join(dir, "js"),
    pidFile: join(dir, "nats.pid"),
    aclInclude: "./acl.conf",
    systemNkey: system,
    debug: false,
    ...more,
  };
}

const cluster: NatsClusterInput = {
  name: "althing",
  host: "10.0.0.2",
  port: 6250,
  routes: ["n1.example.org:6250", "[::1]:6250"],
  tls: { certFile: "/d/route.pem", keyFile: "/d/route.key", caFile: "/d/route-ca.pem" },
};

async function judge(dir: string, config: string, acl: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "nats.conf"), config);
  await writeFile(join(dir, "acl.conf"), acl);
  const { stderr } = await promisify(execFile)(await findNatsServer(), ["-t", "-c", join(dir, "nats.conf")]);
  return stderr;
}

describe("nats-server", () => {
  it("takes configuration, fence and access list", async () => {
    await using dir = await tempDir();
    const rooms = aclPermissions([`r.1.${name}`], [`s.1.${name}`]);
    const acl = aclConfig(hub, [
      aclEntry(newNkey().publicKey, `_INBOX.${"b".repeat(32)}.>`, rooms),
      aclEntry(newNkey().publicKey, `_INBOX.${"c".repeat(32)}.>`, aclPermissions([], [])),
    ]);
    expect(await judge(dir.path, natsConfig(inputFor(dir.path)), acl)).toContain("is valid");
    expect(await judge(dir.path, natsConfig(inputFor(dir.path, { host: "::1", debug: true })), fenceConfig(hub))).toContain("is valid");
  });

  it("takes a data folder whose name holds quotes, braces, dollars and spaces, as one string", async () => {
    await using dir = await tempDir();
    const odd = join(dir.path, `a "b" \\ {c} $PATH # é '; users = [ {user: x} ]`);
    const text = natsConfig(inputFor(odd));
    expect(await judge(odd, text, fenceConfig(hub))).toContain("is valid");
  });
});

describe("generation", () => {
  it("always syncs before acknowledging, and traces nothing", () => {
    const text = natsConfig(inputFor("/d", { debug: true }));
    expect(text).toContain("sync_interval: always");
    expect(text).toContain("trace: false");
    expect(text).toContain("debug: true");
  });

  it("refuses whatever is not of its grammar, so nothing can be smuggled into the text", () => {
    const injection = `"} ] users = [ {user: mallory, password: x} ] #`;
    const refused: Partial<NatsConfigInput>[] = [
      { serverName: injection },
      { serverName: "" },
      { host: injection },
      { host: "0.0.0.0\nport: 1" },
      { aclInclude: "../../etc/passwd" },
      { aclInclude: `a" b` },
      { systemNkey: injection },
      { systemNkey: `${system}x` },
      { port: 0 },
      { port: 70_000 },
      { port: Number.NaN },
      { websocketPort: 1.5 },
      { storeDir: "relative" },
      { storeDir: `/d\n}` },
      { pidFile: "/d\u0000" },
      { maxPayloadBytes: -1 },
    ];
    for (const more of refused) expect(() => natsConfig(inputFor("/d", more)), JSON.stringify(more)).toThrow(TypeError);
    expect(() => aclConfig(injection, [])).toThrow(TypeError);
    for (const subject of [">", "r.1.*", "r.1.>", "s.*.x", `r.1.${name}","$JS.>`, `r.1.${name}\n`, "$JS.API.>", "r..x", `r.1.${name} `]) {
      expect(() => aclPermissions([subject], []), subject).toThrow(TypeError);
      expect(() => aclPermissions([], [subject]), subject).toThrow(TypeError);
    }
    const none = aclPermissions([], []);
    for (const inbox of ["_INBOX.>", "_INBOX.*.>", "_INBOX.short.>", `_INBOX.${"b".repeat(32)}`, `>`, `_INBOX.${"b".repeat(32)}.>","s.>`]) {
      expect(() => aclEntry(newNkey().publicKey, inbox, none), inbox).toThrow(TypeError);
    }
    expect(() => aclEntry("UABC", `_INBOX.${"b".repeat(32)}.>`, none)).toThrow(TypeError);
  });
});

describe("a cluster", () => {
  it("is one section, word for word; a node alone has none", () => {
    const section = `cluster {
  name: "althing"
  host: "10.0.0.2"
  port: 6250
  no_advertise: true
  pool_size: -1
  routes: [ "tls://n1.example.org:6250", "tls://[::1]:6250" ]
  tls { cert_file: "/d/route.pem", key_file: "/d/route.key", ca_file: "/d/route-ca.pem", verify: true, min_version: "1.3", timeout: 5 }
}
`;
    const alone = natsConfig(inputFor("/d"));
    const joined = natsConfig(inputFor("/d", { cluster }));
    expect(joined.replace(section, "")).toBe(alone);
    expect(joined).not.toBe(alone);
    expect(alone).not.toContain("cluster");
  });

  it("takes nothing that is not of its grammar", () => {
    const refused: Partial<NatsClusterInput>[] = [
      { name: 'a" b' },
      { name: "" },
      { host: "0.0.0.0\nauthorization {}" },
      { host: "n1.example.org" },
      { port: 0 },
      { routes: ['n1:6250" ] tls { verify: false } #'] },
      { routes: ["user:password@n1:6250"] },
      { routes: ["n1"] },
      { routes: ["fd00::1:6250"] },
      { tls: { ...cluster.tls, certFile: "relative.pem" } },
      { tls: { ...cluster.tls, keyFile: "/d\n}" } },
      { tls: { ...cluster.tls, caFile: "" } },
    ];
    for (const more of refused)
      expect(() => natsConfig(inputFor("/d", { cluster: { ...cluster, ...more } })), JSON.stringify(more)).toThrow(TypeError);
  });
});

describe("versions", () => {
  it("older than 2.12 are refused with the reason, newer are taken", () => {
    for (const version of ["2.9.10", "2.10.27", "2.11.99", "1.20.0", "0", ""])
      expect(() => checkNatsVersion(version), version).toThrow(/is needed \(older ones lack/);
    for (const version of ["2.12.0", "2.12.1-RC.1", "2.15.1", "3.0.0"]) expect(() => checkNatsVersion(version), version).not.toThrow();
  });
});

describe("nkeys", () => {
  it("decode to the key that the seed makes, and a wrong digit is noticed", () => {
    const pair = newNkey();
    expect(nkeyOfSeed(pair.seed)).toBe(pair.publicKey);
    expect(nkeyBytes(pair.publicKey)).toHaveLength(32);
    const flipped = pair.publicKey.slice(0, 10) + (pair.publicKey[10] === "A" ? "B" : "A") + pair.publicKey.slice(11);
    expect(nkeyBytes(flipped)).toBeUndefined();
    expect(() => nkeyOfSeed(`${pair.seed.slice(0, -1)}?`)).toThrow();
  });
});
