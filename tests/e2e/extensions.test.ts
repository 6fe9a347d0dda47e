/** The author's and the admin's way from the command line, against a real instance with its real runner. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually, openWorkplace, type Workplace } from "./althing-process.ts";
import { inProcess, type InProcess } from "./in-process.ts";

let place: Workplace;
let cli: InProcess;

const alice = ["--as", "alice.id"] as const;
const bob = ["--as", "bob.id"] as const;
const garden = ["--community", "garden", ...alice] as const;
const hello = "org.example.hello";
const bundle = `hello/${hello}-0.1.0.althing`;

beforeAll(async () => {
  place = await openWorkplace();
  cli = inProcess(place);
  for (const name of ["alice", "bob"]) await cli.ok("identity", "new", `${name}.id`);
  await cli.ok("bootstrap", "--as", "alice.id", "--handle", "alice");
  await place.up();
  await cli.ok("join", await cli.ok("invite", ...alice), ...bob, "--handle", "bob");
  await cli.ok("ext", "key", "new", "publisher.key");
  await cli.ok("ext", "new", "hello", "--key", "publisher.key");
  await cli.ok("ext", "pack", "--project", "hello");
}, 120_000);
afterAll(async () => place?.[Symbol.asyncDispose]());

async function refused(code: number, error: string, ...args: string[]): Promise<unknown> {
  const ran = await cli.run([...args, "--json"]);
  const answer: unknown = JSON.parse(ran.stdout);
  expect(answer, args.join(" ")).toMatchObject({ error: { code: error, fix: expect.any(String) } });
  expect(ran.code).toBe(code);
  return answer;
}

const call = (...args: string[]) => cli.json("ext", "call", "GET", "/hello/ada", "--project", "hello", ...args);

describe("a package from its author to its end", () => {
  test("communities and members are made, named and listed", async () => {
    expect(await cli.json("community", "create", "garden", "--display-name", "The garden", ...alice)).toMatchObject({
      name: "garden",
      roles: ["owner"],
    });
    await refused(1, "community.name_taken", "community", "create", "garden", ...alice);
    await refused(1, "community.not_found", "community", "show", "garden", ...bob);
    await refused(2, "cli.usage", "community", "show", "No Such", ...alice);
    await cli.ok("member", "add", "garden", "bob", "--role", "observer", ...alice);
    expect(await cli.ok("member", "list", "garden", ...alice)).toMatch(/bob +observer/);
    await refused(1, "community.last_owner", "member", "roles", "garden", "alice", "--role", "member", ...alice);
    await refused(1, "auth.forbidden", "member", "remove", "garden", "alice", "--yes", ...bob);
    await cli.ok("community", "leave", "garden", "--yes", ...bob);
    await refused(1, "community.not_found", "community", "show", "garden", ...bob);
  });

  test("what was not signed does not come in", { timeout: 60_000 }, async () => {
    copyFileSync(join(place.path, bundle), join(place.path, "unsigned.althing"));
    await refused(1, "trust.unsigned", "ext", "verify", "unsigned.althing");
    await refused(1, "trust.unsigned", "ext", "publish", "unsigned.althing", ...alice);
    await refused(1, "trust.unsigned", "package", "install", "unsigned.althing", "--yes", ...garden);
  });

  test("nor what was signed by somebody whom the instance does not know", { timeout: 60_000 }, async () => {
    await cli.ok("ext", "sign", bundle, "--key", "publisher.key");
    expect(await cli.ok("ext", "verify", bundle)).toContain("the content is what was signed");
    expect(await cli.ok("ext", "verify", bundle, "--trust", "publisher.key.pub")).toContain("signed by ed25519:");
    await cli.ok("ext", "key", "new", "stranger.key");
    await refused(2, "cli.usage", "ext", "key", "new", "stranger.key");
    await refused(1, "trust.untrusted_signer", "ext", "verify", bundle, "--trust", "stranger.key.pub");
    await refused(1, "trust.malformed", "ext", "sign", bundle, "--key", "stranger.key");
    await refused(1, "trust.untrusted_signer", "package", "install", bundle, "--yes", ...garden);
    expect(await cli.json("package", "list", ...garden)).toEqual([]);
  });

  test("only an admin of the instance decides whom it trusts", async () => {
    await refused(1, "auth.forbidden", "trust", "add", "publisher.key.pub", ...bob);
    const added = await cli.json("trust", "add", "publisher.key.pub", ...alice);
    expect(added).toMatchObject({ added: [{ id: expect.stringMatching(/^ed25519:[0-9a-f]{64}$/), source: "instance" }] });
    await refused(2, "cli.usage", "trust", "revoke", "publisher.key.pub", "--yes", ...alice);
  });

  test("installing asks, shows what it grants, and lets the extension answer members only", { timeout: 60_000 }, async () => {
    // There is no terminal to ask on.
    await refused(2, "cli.usage", "package", "install", bundle, ...garden);
    const ran = await cli.run(["package", "install", bundle, "--yes", ...garden]);
    expect(ran.stderr).toContain('storage.kv: keep data of its own; its author says "To count visits."');
    expect(ran.stderr).toContain("whom this instance trusts");
    expect(ran.stdout).toContain(`${hello} 0.1.0 is active`);
    await refused(1, "install.exists", "package", "install", bundle, "--yes", ...garden);
    expect(await call(...garden)).toMatchObject({ status: 200, body: { message: "Hello, ada!", visits: 1 } });
    await refused(1, "auth.forbidden", "ext", "call", "GET", "/hello/ada", "--extension", hello, "--community", "garden", ...bob);
    await refused(1, "ext.endpoint_not_found", "ext", "call", "GET", "/nothing", "--extension", hello, ...garden);
  });

  test("settings are typed by the package's schema and hold for the next call", async () => {
    await cli.ok("package", "settings", hello, "greeting=Hei", ...garden);
    expect(await call(...garden)).toMatchObject({ body: { message: "Hei, ada!" } });
    await refused(2, "cli.usage", "package", "settings", hello, "colour=red", ...garden);
    await refused(1, "settings.invalid", "package", "settings", hello, "greeting=", ...garden);
    await cli.ok("package", "settings", hello, "greeting=default", ...garden);
    expect(await call(...garden)).toMatchObject({ body: { message: "Hello, ada!" } });
  });

  test("a secret comes from a private file and is never shown", async () => {
    writeFileSync(join(place.path, "api.txt"), "very-secret\n", { mode: 0o644 });
    await refused(1, "identity.mode", "package", "settings", hello, "--secret", "API_KEY=@api.txt", ...garden);
    await refused(2, "cli.usage", "package", "settings", hello, "--secret", "API_KEY=very-secret", ...garden);
    writeFileSync(join(place.path, "own.txt"), "very-secret\n", { mode: 0o600 });
    const set = await cli.json(
      "package",
      "settings",
      hello,
      "--secret",
      "API_KEY=@own.txt",
      "--secret-host",
      "API_KEY=api.example.com",
      ...garden,
    );
    expect(set).toMatchObject({ secrets: [{ name: "API_KEY", hosts: ["api.example.com"] }] });
    expect(JSON.stringify(await cli.json("package", "show", hello, ...garden))).not.toContain("very-secret");
    expect(await cli.json("package", "settings", hello, "--forget", "API_KEY", ...garden)).toMatchObject({ secrets: [] });
  });

  test("log and usage show what was called", async () => {
    const log = await cli.json("package", "log", hello, ...garden);
    expect(log).toMatchObject([{ name: "GET /hello/:name", actor: "alice", status: "ok", httpStatus: 200 }, {}, {}]);
    expect(await cli.ok("package", "log", hello, "--last", "1", ...garden)).toMatch(/ok +http +GET \/hello\/:name +200 +alice/);
    expect(await cli.json("package", "usage", hello, ...garden)).toMatchObject({ hours: [{ calls: 3, errors: 0 }] });
  });

  test("the policy is shown with its reasons, changed by word, and judged before it holds", async () => {
    expect(await cli.ok("policy", "why", "garden", "trust", ...alice)).toContain("the product's default");
    await refused(1, "policy.above_ceiling", "policy", "set", "garden", "trust=allow_unsigned", ...alice);
    await cli.ok("policy", "set", "garden", "installSources=registry", "limits.fuel=20_000", ...alice);
    expect(await cli.json("policy", "show", "garden", ...alice)).toMatchObject({
      community: { installSources: ["registry"], limits: { fuel: 20_000 } },
    });
    await refused(1, "policy.upload_forbidden", "package", "install", bundle, "--yes", ...garden);
    await refused(1, "ext.quota_exceeded", "ext", "call", "GET", "/hello/ada", "--project", "hello", ...garden);
    await cli.ok("policy", "set", "garden", "installSources=default", "limits.fuel=default", ...alice);
    expect(await call(...garden)).toMatchObject({ status: 200 });
    writeFileSync(join(place.path, "strict.json"), JSON.stringify({ trust: "trusted_publishers", trustedPublishers: [] }));
    expect(await cli.json("policy", "dry-run", "garden", "strict.json", ...alice)).toMatchObject({
      blocks: [{ kind: "install", extension: hello }],
    });
  });

  test("the instance's policy bounds every community, and what `show` printed is taken back", async () => {
    writeFileSync(join(place.path, "bounds.json"), JSON.stringify({ ceilings: { backgroundJobs: false }, locks: ["publicEndpoints"] }));
    await refused(1, "auth.forbidden", "instance", "policy", "set", "bounds.json", ...bob);
    await cli.ok("instance", "policy", "set", "bounds.json", ...alice);
    await refused(1, "policy.locked", "policy", "set", "garden", "publicEndpoints=true", ...alice);
    await refused(1, "policy.above_ceiling", "policy", "set", "garden", "backgroundJobs=true", ...alice);
    writeFileSync(join(place.path, "shown.json"), await cli.ok("instance", "policy", "show", "--json", ...alice));
    await cli.ok("instance", "policy", "set", "shown.json", ...alice);
  });

  test("an upgrade that asks for more shows the difference, and a rollback brings the old one back", { timeout: 60_000 }, async () => {
    const file = join(place.path, "hello/manifest.json");
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { version: string; capabilities: object[] };
    manifest.version = "0.2.0";
    manifest.capabilities.push({ name: "members.read", reason: "To greet everybody." });
    writeFileSync(file, JSON.stringify(manifest));
    await cli.ok("ext", "pack", "--project", "hello", "--key", "publisher.key");
    const next = `hello/${hello}-0.2.0.althing`;
    await cli.ok("package", "upgrade", next, "--no-activate", ...garden);
    expect(await cli.json("package", "show", hello, ...garden)).toMatchObject({
      version: "0.1.0",
      state: "active",
      pending: { version: "0.2.0" },
    });
    const ran = await cli.run(["package", "consent", hello, "--yes", ...garden]);
    expect(ran.stderr).toContain("+ it will be able to members.read");
    expect(ran.stdout).toContain("0.2.0 is active");
    expect(await call(...garden)).toMatchObject({ status: 200 });
    await cli.ok("package", "rollback", hello, "--yes", ...garden);
    expect(await cli.json("package", "show", hello, ...garden)).toMatchObject({ version: "0.1.0", state: "active" });
    expect(await cli.json("package", "versions", hello, ...garden)).toHaveLength(2);
  });

  test("the registry offers it to other communities; a yanked version can no longer be installed", { timeout: 60_000 }, async () => {
    expect(await cli.json("ext", "publish", "--project", "hello", ...alice)).toMatchObject({ name: hello, version: "0.2.0" });
    expect(await cli.ok("registry", "list", "--search", "hello", ...alice)).toContain(hello);
    await cli.ok("community", "create", "orchard", ...alice);
    await cli.ok("package", "install", `registry:${hello}`, "--yes", "--community", "orchard", ...alice);
    expect(await cli.json("package", "list", "--community", "orchard", ...alice)).toMatchObject([{ version: "0.2.0", state: "active" }]);
    await cli.ok("package", "remove", hello, "--purge", "--yes", "--community", "orchard", ...alice);
    await cli.ok("registry", "yank", hello, "0.2.0", "it", "was", "a", "mistake", "--yes", ...alice);
    await refused(
      1,
      "registry.yanked",
      "package",
      "install",
      `registry:${hello}`,
      "--at",
      "0.2.0",
      "--yes",
      "--community",
      "orchard",
      ...alice,
    );
  });

  test("deactivated or removed it answers no more", async () => {
    await cli.ok("package", "deactivate", hello, ...garden);
    await refused(1, "ext.not_found", "ext", "call", "GET", "/hello/ada", "--project", "hello", ...garden);
    await cli.ok("package", "activate", hello, ...garden);
    expect(await call(...garden)).toMatchObject({ status: 200 });
    await refused(2, "cli.usage", "package", "remove", hello, "--yes", ...garden);
    await cli.ok("package", "remove", hello, "--purge", "--yes", ...garden);
    await refused(1, "ext.not_found", "ext", "call", "GET", "/hello/ada", "--project", "hello", ...garden);
    await refused(1, "install.not_found", "package", "show", hello, ...garden);
  });
});

test("ext test runs the component in the real runner, and a wrong answer fails it", { timeout: 120_000 }, async () => {
  await cli.ok("ext", "new", "tested");
  const cases = (message: string) => ({
    settings: { greeting: "Hei" },
    requests: [
      { name: "greets", as: "bob", request: { path: "/hello/ada" }, expect: { status: 200, json: { message, visits: 1 } } },
      { name: "keeps count", request: { path: "/hello/ada" }, expect: { json: { message, visits: 2 } } },
    ],
  });
  const file = join(place.path, "tested/test/hello.requests.json");
  writeFileSync(file, JSON.stringify(cases("Hei, ada!")));
  expect(await cli.json("ext", "test", "--project", "tested")).toMatchObject({
    passed: true,
    tests: { passed: true },
    requests: [{ passed: true, usage: { fuel: expect.any(Number) } }, { passed: true }],
  });
  writeFileSync(file, JSON.stringify(cases("Hei, eve!")));
  const ran = await cli.run(["ext", "test", "--project", "tested"]);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain('expected {"message":"Hei, eve!","visits":1}, got {"message":"Hei, ada!","visits":1}');
});

test("ext dev is for this machine, and for admins of it", async () => {
  await cli.ok("ext", "new", "mine");
  await refused(2, "cli.usage", "ext", "dev", "--project", "mine", "--url", "https://althing.example", ...alice);
  await refused(1, "auth.forbidden", "ext", "dev", "--project", "mine", ...bob);
});

test("in ext dev a change is live within seconds, a fault is shown with its place, and Ctrl-C ends it", { timeout: 120_000 }, async () => {
  await cli.ok("ext", "new", "live");
  const source = join(place.path, "live/src/index.ts");
  const original = readFileSync(source, "utf8");
  const child = place.spawn(["ext", "dev", "--project", "live", ...alice]);
  let [out, err] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
  const ended = new Promise<number | null>((done) => child.once("exit", (code) => done(code)));
  const rounds = () => out.match(/live after/g)?.length ?? 0;
  await eventually(() => rounds() === 1 && err.includes("watching for changes"), "the first round", 60_000);
  expect(err).toContain("DEVELOPMENT: the key .althing/dev.key");
  expect(err).toContain("althing ext call GET /hello/ada --project live");
  const ask = async () => JSON.stringify(await cli.json("ext", "call", "GET", "/hello/ada", "--project", "live", ...alice));
  expect(await ask()).toContain("Hello, ada!");

  const savedAtMs = performance.now();
  writeFileSync(source, original.replace("`${settings.greeting}, ${name}!`", "`${settings.greeting}, dear ${name}!`"));
  await eventually(() => rounds() === 2, "the second round", 30_000);
  const tookMs = performance.now() - savedAtMs;
  console.log(`ext dev: live ${Math.round(tookMs)} ms after saving`);
  expect(await ask()).toContain("Hello, dear ada!");

  writeFileSync(source, original.replace("return json(", "return json json("));
  await eventually(() => /src\/index\.ts:\d+:\d+/.test(out), "the fault with its place", 30_000);
  expect(await ask()).toContain("Hello, dear ada!");
  await eventually(() => (out.match(/ok +http +GET \/hello\/:name/g)?.length ?? 0) >= 3, "the executions", 30_000);

  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(err).toContain("dev keeps the extension as it was last");
});
