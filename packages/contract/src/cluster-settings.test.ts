/** Settings of a cluster: what no majority, no copy or no reachable neighbour would be made of is refused by name. */
import { expect, test } from "vitest";
import { isAppError } from "./app-error.ts";
import { addressesOf, clusterOf, splitHostPort } from "./cluster-settings.ts";
import { resolveConfig, settings, type Config } from "./config.ts";

const resolve = (file: Record<string, unknown>): Config => resolveConfig({ flags: {}, env: {}, file }).config;

const local = (n: number) => ({
  name: `n${n}`,
  url: `http://localhost:${9000 + n}`,
  nats: `nats://localhost:${9100 + n}`,
  route: `127.0.0.1:${9200 + n}`,
});
const remote = (n: number) => ({
  name: `n${n}`,
  url: `https://n${n}.althing.test:8470`,
  nats: `tls://n${n}.althing.test:4250`,
  route: `10.0.0.${n}:6250`,
});
const files = { route_tls_cert: "r.pem", route_tls_key: "r.key", route_tls_ca: "ca.pem" };
const whole = { node_name: "n2", store: "kv", bundle_store: "jetstream", cluster_nodes: [1, 2, 3].map(local), ...files };
const apart = {
  ...whole,
  cluster_nodes: [1, 2, 3].map(remote),
  routes_host: "10.0.0.2",
  ...{ tls_cert: "c.pem", tls_key: "c.key" },
};

function refusal(file: Record<string, unknown>): unknown {
  try {
    resolve(file);
    return "taken";
  } catch (error) {
    return isAppError(error) ? `${error.code} ${String(error.params["key"])}: ${String(error.params["detail"])}` : error;
  }
}

test("a node alone has one copy and no cluster", () => {
  const config = resolve({});
  expect(config).toMatchObject({ cluster_nodes: [], replicas: 1, routes_host: "127.0.0.1" });
  expect(clusterOf(config)).toBeUndefined();
  expect(refusal({ replicas: 1 })).toBe("taken");
  expect(refusal({ replicas: 3 })).toMatch(/^config\.invalid replicas: .*cluster_nodes/);
  expect(refusal({ route_tls_cert: "r.pem" })).toMatch(/^config\.invalid route_tls_cert: /);
});

test("three nodes need two of them and keep three copies; five need three", () => {
  const config = resolve(whole);
  expect(config.replicas).toBe(3);
  expect(clusterOf(config)).toEqual({ size: 3, majority: 2, self: local(2), nodes: [local(1), local(2), local(3)] });
  const five = resolve({ ...whole, cluster_nodes: [1, 2, 3, 4, 5].map(local), replicas: "5" });
  expect(clusterOf(five)).toMatchObject({ size: 5, majority: 3 });
  expect(five.replicas).toBe(5);
  expect(refusal(apart)).toBe("taken");
});

test("settings that were resolved are taken again, as a hub gets them", () => {
  for (const file of [whole, { ...whole, replicas: 1 }, {}]) {
    const first = resolve(file);
    const flags = Object.fromEntries(Object.entries(first).filter(([name]) => Object.hasOwn(settings, name)));
    expect(resolveConfig({ flags, env: {}, file: {} }).config).toMatchObject({
      replicas: first.replicas,
      cluster_nodes: first.cluster_nodes,
    });
  }
});

test("clients are told of every node, the one that answers first", () => {
  const nodes = [remote(1), { ...remote(2), url: `${remote(2).url}/` }, remote(3)];
  const cluster = clusterOf(resolve({ ...apart, cluster_nodes: nodes }));
  if (cluster === undefined) throw new TypeError("no cluster");
  expect(addressesOf(cluster, "url")).toEqual([remote(2).url, remote(1).url, remote(3).url]);
  expect(addressesOf(cluster, "nats")).toEqual([remote(2).nats, remote(1).nats, remote(3).nats]);
});

test("one copy in a cluster is had by asking only", () => {
  expect(resolve({ ...whole, replicas: 1 }).replicas).toBe(1);
  expect(refusal({ ...whole, replicas: 5 })).toMatch(/^config\.invalid replicas: there are 3 nodes/);
  for (const replicas of [0, 2, 4, 7, "many"])
    expect(refusal({ ...whole, replicas }), String(replicas)).toMatch(/^config\.invalid replicas: /);
});

test("without a tie-breaker, or more than are of use, the number is refused with its reason", () => {
  const of = (count: number) => ({ ...whole, cluster_nodes: Array.from({ length: count }, (_, i) => local(i + 1)) });
  expect(refusal({ ...of(1), node_name: "n1" })).toMatch(/cluster_nodes: one node is no cluster/);
  expect(refusal(of(2))).toMatch(/cluster_nodes: two nodes need both/);
  expect(refusal(of(4))).toMatch(/cluster_nodes: four nodes bear the loss of one/);
  expect(refusal(of(7))).toMatch(/cluster_nodes: a cluster has 3 or 5/);
});

test.each(["name", "url", "nats", "route"] as const)("two nodes with one %s are refused", (field) => {
  const nodes = [local(1), local(2), { ...local(3), [field]: local(1)[field].toUpperCase().replace(/^N1$/, "n1") }];
  if (field === "url" || field === "nats") nodes[2] = { ...local(3), [field]: `${local(1)[field]}/` };
  expect(refusal({ ...whole, cluster_nodes: nodes })).toMatch(new RegExp(`cluster_nodes: two nodes have the ${field} `));
});

test.each([
  ["url", "http://n3.althing.test:8470"],
  ["url", "https://n3.althing.test/path"],
  ["url", "https://u:p@n3.althing.test"],
  ["nats", "nats://n3.althing.test:4250"],
  ["nats", "tls://n3.althing.test"],
  ["nats", 'tls://x"y:1'],
  ["route", "n3.althing.test"],
  ["route", "tls://n3.althing.test:6250"],
  ["route", "n3.althing.test:99999"],
  ["route", 'a"b:1'],
  ["name", "N3"],
  ["name", ""],
])("a node with %s %s is refused", (field, value) => {
  expect(refusal({ ...apart, cluster_nodes: [remote(1), remote(2), { ...remote(3), [field]: value }] })).toMatch(
    /^config\.invalid cluster_nodes: /,
  );
});

test("a field that is no part of a node is refused", () => {
  expect(refusal({ ...whole, cluster_nodes: [local(1), local(2), { ...local(3), password: "x" }] })).toMatch(
    /^config\.invalid cluster_nodes: /,
  );
});

test("what a cluster cannot stand on is refused by its own setting", () => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ ...whole, node_name: "n9" }, "node_name: no entry"],
    [{ ...whole, store: "sqlite" }, "store: "],
    [{ ...whole, bundle_store: "folder" }, "bundle_store: "],
    [{ ...apart, routes_host: "127.0.0.1" }, "routes_host: the other nodes are told 10.0.0.2:6250"],
    [{ ...apart, tls_cert: undefined, tls_key: undefined }, "cluster_nodes: n2 has nats tls://n2.althing.test:4250 and no tls_cert"],
    [{ ...whole, tls_cert: "c.pem", tls_key: "c.key" }, "cluster_nodes: n2 has nats nats://localhost:9102 and a tls_cert"],
    [
      { ...apart, cluster_nodes: [remote(1), remote(2), { ...remote(3), route: "127.0.0.1:6250" }] },
      "cluster_nodes: the route of n3 is loopback",
    ],
    [
      { ...whole, ...{ nats_url: "nats://localhost:4222", nats_acl_file: "/srv/acl.conf", nats_pid_file: "/srv/nats.pid" } },
      "nats_url: a node of a cluster runs",
    ],
  ];
  for (const [file, start] of cases) expect(refusal(file)).toContain(`config.invalid ${start}`);
  for (const key of Object.keys(files))
    expect(refusal({ ...whole, [key]: undefined })).toContain(`config.invalid ${key}: routes between nodes`);
});

test("a route's host and port are read, brackets kept", () => {
  expect(splitHostPort("n1.althing.test:6250")).toEqual({ host: "n1.althing.test", port: 6250 });
  expect(splitHostPort("[fd00::1]:6250")).toEqual({ host: "[fd00::1]", port: 6250 });
  for (const text of ["fd00::1:6250", ":1", "a:0", "a:65536", "a b:1", "a:1\n"]) expect(splitHostPort(text), text).toBeUndefined();
});
