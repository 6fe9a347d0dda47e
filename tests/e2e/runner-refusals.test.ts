/** `althing runner` and `althing up` before they start anything: what could not work between machines, or not safely, is refused by its code. */
import { chmod, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts, makePeerAuthority, type PeerAuthority, type PeerCertificate } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkplace, type Workplace } from "./althing-process.ts";

let place: Workplace;
let house: PeerAuthority;
let good: PeerCertificate;
let ports: readonly number[];

beforeAll(async () => {
  place = await openWorkplace();
  house = await makePeerAuthority(join(place.path, "tls"));
  good = await house.issue("127.0.0.1");
  ports = await freePorts(3);
}, 30_000);
afterAll(() => place?.[Symbol.asyncDispose]());

const hub = ["--hub-internal-url", "https://localhost:1"];
const pages = () => ["--runner-port", String(ports[1])];
const own = () => ["--internal-tls-url", `https://127.0.0.1:${ports[0]}`];
const files = ({ cert, key, ca }: PeerCertificate) => ["--internal-tls-cert", cert, "--internal-tls-key", key, "--internal-tls-ca", ca];

async function refused(command: "runner" | "up", flags: readonly string[]): Promise<[number, string, string]> {
  const ran = await place.run([command, "--json", ...flags]);
  const { error } = JSON.parse(ran.stdout) as { error: { code: string; message: string } };
  return [ran.code, error.code, error.message];
}

test("a runner without mutual TLS is none: on other addresses config.insecure_bind, on loopback config.invalid", async () => {
  expect(await refused("runner", ["--internal-tls-host", "0.0.0.0"])).toMatchObject([
    1,
    "config.insecure_bind",
    expect.stringContaining("0.0.0.0"),
  ]);
  expect(await refused("runner", [])).toMatchObject([2, "config.invalid", expect.stringContaining("internal_tls_url")]);
  expect(await refused("runner", [...own(), ...files(good)])).toMatchObject([
    2,
    "config.invalid",
    expect.stringContaining("hub_internal_url"),
  ]);
  expect(await refused("runner", [...own(), ...files(good).slice(0, 4), ...hub])).toMatchObject([
    2,
    "config.invalid",
    expect.stringContaining("internal_tls_ca"),
  ]);
  // Extension pages beyond this machine need a proxy that has a certificate.
  expect((await refused("runner", [...own(), ...files(good), ...hub, "--host", "0.0.0.0"]))[1]).toBe("config.insecure_bind");
  await expect(stat(place.data)).rejects.toMatchObject({ code: "ENOENT" });
}, 60_000);

test.each<[string, () => Promise<PeerCertificate>, string, string]>([
  ["a key that others may read", async () => (await chmod(good.key, 0o644), good), "data.mode", "0644"],
  [
    "an authority that is not there",
    async () => (await chmod(good.key, 0o600), { ...good, ca: join(place.path, "none.pem") }),
    "config.invalid",
    "no such file",
  ],
  ["an expired certificate", () => house.issue("127.0.0.1", { days: -1 }), "config.invalid", "expired"],
  ["another host's certificate", () => house.issue("127.0.0.9"), "config.invalid", "is not for 127.0.0.1"],
  [
    "another authority's certificate",
    async () => ({ ...(await (await makePeerAuthority(join(place.path, "other"))).issue("127.0.0.1")), ca: house.ca }),
    "config.invalid",
    "not issued",
  ],
])(
  "a runner with %s does not start",
  async (_what, make, code, words) => {
    const answer = await refused("runner", [...own(), ...pages(), ...files(await make()), ...hub]);
    expect(answer.slice(1)).toEqual([code, expect.stringContaining(words)]);
    expect(answer[0]).toBeGreaterThan(0);
  },
  60_000,
);

test("a port that is taken is named", async () => {
  const answer = await refused("runner", ["--internal-tls-url", `https://127.0.0.1:${ports[1]}`, ...pages(), ...files(good), ...hub]);
  expect(answer).toMatchObject([1, "up.port_in_use", expect.stringContaining(String(ports[1]))]);
  const hubs = await refused("up", ["--internal-tls-url", `https://127.0.0.1:${place.ports.hub}`, ...files(good)]);
  expect(hubs).toMatchObject([1, "up.port_in_use", expect.stringContaining(String(place.ports.hub))]);
}, 60_000);

test("an instance with a runner elsewhere needs the same, and does not start with a certificate that could not work", async () => {
  expect(await refused("up", ["--runner-base-url", "https://r1.example:1"])).toMatchObject([
    2,
    "config.invalid",
    expect.stringContaining("internal_tls_url"),
  ]);
  expect(await refused("up", ["--runner-base-url", "http://r1.example:1"])).toMatchObject([
    2,
    "config.invalid",
    expect.stringContaining("https"),
  ]);
  const elsewhere = await house.issue("127.0.0.9");
  expect((await refused("up", [...own(), ...files(elsewhere)]))[1]).toBe("config.invalid");
}, 60_000);

test("a folder that others may read is refused", async () => {
  const open = join(place.path, "open");
  await mkdir(open, { mode: 0o755 });
  await chmod(open, 0o755);
  await writeFile(join(open, "mine"), "");
  expect((await refused("runner", ["--data", open, ...own(), ...pages(), ...files(good), ...hub]))[1]).toBe("data.mode");
  expect(await readdir(open)).toEqual(["mine"]);
}, 60_000);
