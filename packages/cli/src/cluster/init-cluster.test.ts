/** `cluster init`: what is refused before anything is written, and what a node's folder holds then. */
import { resolveConfig } from "@althing/contract";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { initCluster } from "./init-cluster.ts";
import { readNodesFile } from "./nodes-file.ts";

const template = readFileSync(join(repositoryRoot, "deploy/nodes.toml"), "utf8");
/** The template as an operator fills it in. */
const filled = template.replace("CHANGE-ME", "garden").replaceAll("192.0.2.", "10.20.0.").replaceAll("example.org", "althing.test");
const nowMs = Date.now();
const read = (text: string) => readNodesFile("nodes.toml", text);

const local = `name = "demo"\n${[1, 2, 3]
  .map((n) => {
    const ports = ["port", "runnerPort", "natsPort", "natsWsPort", "routesPort", "internalPort"].map(
      (key, i) => `${key} = ${9000 + n * 10 + i}`,
    );
    return `[[nodes]]\nname = "n${n}"\nhost = "localhost"\nhome = "/srv/demo/n${n}"\n${ports.join("\n")}`;
  })
  .join("\n")}\n`;

describe("the nodes file", () => {
  test("the template is refused as it lies there, by its first placeholder", () => {
    expect(() => read(template)).toThrowError(/name is still the placeholder CHANGE-ME/);
    expect(() => read(template.replace("CHANGE-ME", "garden"))).toThrowError(/routeNetwork is still the placeholder 192\.0\.2\.0\/24/);
  });

  test.each([
    ["n1.althing.test", "n1.example.com"],
    ["n1.althing.test", "node1.example"],
    ["root@n2.althing.test", "root@example.net"],
    ["n1.althing.test", "changeme"],
    ["10.20.0.12", "203.0.113.9"],
    ["10.20.0.12", "2001:db8::1"],
    ["/srv/althing", "/srv/<home>"],
  ])("%s as %s is a placeholder", (from, to) => {
    expect(() => read(filled.replace(from, to))).toThrowError(expect.objectContaining({ code: "cluster.placeholder" }));
  });

  test("a name that only looks like one is none", () => {
    expect(read(filled.replaceAll("n1.althing.test", "counterexample.test")).nodes[0]?.host).toBe("counterexample.test");
  });

  test.each([
    ["two nodes", filled.slice(0, filled.lastIndexOf("[[nodes]]")), /two nodes need both for a majority/],
    ["a node twice", filled.replace('name = "n2"', 'name = "n1"'), /two nodes have the name n1/],
    ["an unknown key", `nope = 1\n${filled}`, /nope/],
    [
      "a route outside the network",
      filled.replace("10.20.0.12", "10.21.0.12"),
      /nodes\.n2\.routeAddress is "10\.21\.0\.12": it must be an address in routeNetwork/,
    ],
    ["a route by name where a network is given", filled.replace('routeAddress = "10.20.0.12"\n', ""), /nodes\.n2\.routeAddress/],
    ["no network", filled.replace("10.20.0.0/24", "10.20.0.0"), /routeNetwork is "10\.20\.0\.0": it must be a network/],
    ["a shell in a path", filled.replace('"/srv/althing"', '"/srv/a;rm -rf b"'), /home is .*absolute path/],
    ["the root as home", filled.replace('"/srv/althing"', '"/srv"'), /home is "\/srv"/],
    ["a path that climbs", filled.replace('"/srv/althing"', '"/srv/../etc/x"'), /home is /],
    ["the program in the home", filled.replace('"/opt/althing"', '"/srv/althing/program"'), /must lie outside the program/],
    ["an option for ssh", filled.replace("root@n1.althing.test", "-oProxyCommand=x"), /nodes\.0\.ssh/],
    ["one machine's ports twice", local.replace("port = 9020", "port = 9010"), /url http:\/\/localhost:9010/],
    ["one machine's homes twice", local.replace("/srv/demo/n2", "/srv/demo/n1"), /nodes on one machine need a `home` each/],
    ["no TOML", "name =", /no TOML/],
  ])("%s is refused", (_, text, message) => {
    expect(() => read(text)).toThrowError(expect.objectContaining({ code: "cluster.nodes_file" }));
    expect(() => read(text)).toThrowError(message);
  });

  test("addresses are made of it: TLS between machines, the route on its own network", () => {
    const plan = read(filled);
    expect(plan.isLocal).toBe(false);
    expect(plan.nodes[1]).toMatchObject({
      routeListen: "10.20.0.12",
      entry: { name: "n2", url: "https://n2.althing.test:8470", nats: "tls://n2.althing.test:4250", route: "10.20.0.12:6250" },
    });
    expect(read(local).nodes[0]?.entry).toEqual({
      name: "n1",
      url: "http://localhost:9010",
      nats: "nats://localhost:9012",
      route: "127.0.0.1:9014",
    });
  });
});

describe("the folders", () => {
  test("each node has settings that are taken, its certificates and the shared keys; nothing is open to others", async () => {
    await using dir = await tempDir();
    const out = join(dir.path, "garden");
    await initCluster({ plan: read(filled), out, nowMs });
    expect((await readdir(out)).sort()).toEqual(["authority", "n1", "n2", "n3"]);
    const text = (path: string) => readFile(join(out, path), "utf8");
    const instance = await text("authority/instance.json");
    const [clientCa, routeCa] = [
      new X509Certificate(await text("authority/client-ca.pem")),
      new X509Certificate(await text("authority/route-ca.pem")),
    ];
    for (const name of ["n1", "n2", "n3"]) {
      const { config } = resolveConfig({ flags: {}, env: {}, file: parse(await text(`${name}/althing.toml`)) });
      expect(config).toMatchObject({ node_name: name, store: "kv", bundle_store: "jetstream", replicas: 3, data: "/srv/althing/data" });
      expect(config.cluster_nodes).toHaveLength(3);
      expect(await text(`${name}/data/keys/instance.json`)).toBe(instance);
      const [server, route] = [
        new X509Certificate(await text(`${name}/certs/node.pem`)),
        new X509Certificate(await text(`${name}/certs/route.pem`)),
      ];
      expect(server.checkHost(`${name}.althing.test`)).toBeDefined();
      expect(server.verify(clientCa.publicKey)).toBe(true);
      expect(route.checkIP(`10.20.0.1${name.slice(1)}`)).toBeDefined();
      expect(route.verify(routeCa.publicKey)).toBe(true);
      expect(route.verify(clientCa.publicKey)).toBe(false);
      const unit = await text(`${name}/althing.service`);
      expect(unit).toContain("WorkingDirectory=/srv/althing\n");
    }
    const all = await readdir(out, { recursive: true, withFileTypes: true });
    for (const entry of all) expect(statSync(join(entry.parentPath, entry.name)).mode & 0o077, entry.name).toBe(0);
    const keys = all.filter(({ name }) => name.endsWith("-ca.key")).map(({ parentPath }) => parentPath);
    expect(new Set(keys)).toEqual(new Set([join(out, "authority")]));
  });

  test("nothing is written over, and a file that is refused leaves nothing", async () => {
    await using dir = await tempDir();
    const out = join(dir.path, "garden");
    await mkdir(out);
    await expect(initCluster({ plan: read(filled), out, nowMs })).rejects.toMatchObject({ code: "cluster.exists" });
    await rm(out, { recursive: true });
    const wrong = read(filled.replace('log_level = "info"', 'log_level = "loud"'));
    await expect(initCluster({ plan: wrong, out, nowMs })).rejects.toMatchObject({
      code: "cluster.nodes_file",
      params: { key: "settings of n1" },
    });
    expect(await readdir(dir.path)).toEqual([]);
  });

  test("with the authority of a cluster new certificates are made, and its keys stay", async () => {
    await using dir = await tempDir();
    const [first, second] = [join(dir.path, "a"), join(dir.path, "b")];
    await initCluster({ plan: read(filled), out: first, nowMs });
    await initCluster({ plan: read(filled), out: second, authority: join(first, "authority"), nowMs });
    const same = (name: string) => readFileSync(join(first, name), "utf8") === readFileSync(join(second, name), "utf8");
    expect(same("authority/client-ca.pem") && same("n2/data/keys/instance.json") && same("authority/route-ca.key")).toBe(true);
    expect(same("n1/certs/route.pem")).toBe(false);
    await writeFile(join(first, "authority", "route-ca.key"), readFileSync(join(first, "authority", "client-ca.key")));
    const again = initCluster({ plan: read(filled), out: join(dir.path, "c"), authority: join(first, "authority"), nowMs });
    await expect(again).rejects.toMatchObject({ code: "cluster.authority" });
    expect((await readdir(dir.path)).sort()).toEqual(["a", "b"]);
  });

  test("the unit has this cluster's places, whatever they are called", async () => {
    await using dir = await tempDir();
    const out = join(dir.path, "garden");
    const text = filled
      .replace('"/srv/althing"', '"/data/n"')
      .replace('"/opt/althing"', '"/srv/althing-program"')
      .replace('user = "althing"', 'user = "bus"');
    await initCluster({ plan: read(text), out, nowMs });
    const unit = await readFile(join(out, "n1", "althing.service"), "utf8");
    expect(unit).toMatch(/^WorkingDirectory=\/data\/n$/m);
    expect(unit).toMatch(/^ReadWritePaths=\/data\/n$/m);
    expect(unit).toMatch(/^User=bus$/m);
    expect(unit).toContain("ExecStart=/srv/althing-program/node_modules/.bin/node");
    expect(unit).not.toContain("/opt/");
  });
});
