/** The files of deploy/ against the command line, the settings and the metrics of this version: a name that changed must not stay in them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { runProgram, type CliHost } from "@althing/cli";
import { resolveConfig, settings } from "@althing/contract";
import { repositoryRoot, tempDir } from "@althing/testkit";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";

const file = (name: string) => readFileSync(join(repositoryRoot, "deploy", name), "utf8");
const main = "/opt/althing/packages/cli/src/main.ts";

/** @returns the exit code, and what was printed on both streams */
async function run(words: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  let text = "";
  const write = (piece: string) => (text += piece);
  const host: CliHost = {
    ...{ terminal: undefined, stdin: Readable.from([]), env: {}, cwd: "/", now: () => Date.now() },
    ...{ stdout: { write }, stderr: { write } },
    onInterrupt: () => () => undefined,
    takeSignals: () => undefined,
  };
  return { code: await runProgram(host, words), text };
}

const help = (words: readonly string[]) => run([...words, "--help"]);

/** The command is there and takes these flags. */
async function expectCommand(args: readonly string[]): Promise<void> {
  const end = args.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  const words = end < 0 ? args : args.slice(0, end);
  const { code, text } = await help(words);
  expect(code, args.join(" ")).toBe(0);
  expect(text, args.join(" ")).toContain(`althing ${words.join(" ")}`);
  for (const flag of args.filter((word) => word.startsWith("--"))) expect(text, `${words.join(" ")} ${flag}`).toContain(`${flag} `);
}

const environments = new Set<string>(Object.values(settings).map(({ env }) => env));

describe("settings", () => {
  test("althing.toml is taken as it stands", () => {
    const { config } = resolveConfig({ flags: {}, env: {}, file: parse(file("althing.toml")) });
    expect(config).toMatchObject({ behind_proxy: true, host: "127.0.0.1" });
  });

  test("compose sets variables that exist, publishes the ports that are listened on, and keeps them on loopback", () => {
    const text = file("compose.yaml");
    const block = text.slice(text.indexOf("environment:"), text.indexOf("healthcheck:"));
    const given = Object.fromEntries([...block.matchAll(/^ {6}([A-Z_]+): "(.*)"$/gm)].map(([, name = "", value]) => [name, value]));
    expect(Object.keys(given).length).toBeGreaterThan(1);
    for (const name of Object.keys(given)) expect(environments, name).toContain(name);
    const { config } = resolveConfig({ flags: { behind_proxy: true, host: "0.0.0.0" }, env: given, file: {} });
    expect([...text.matchAll(/"127\.0\.0\.1:(\d+):(\d+)"/g)].map(([, outer, inner]) => [Number(outer), Number(inner)])).toEqual([
      [config.ports.hub, config.ports.hub],
      [config.ports.runner, config.ports.runner],
    ]);
    expect(text).toContain(`http://127.0.0.1:${config.ports.internal}/healthz`);
    expect(text).toContain("dockerfile: deploy/Containerfile");
  });

  test("the proxies pass on to the ports of hub and runner, with Host and the client's address", () => {
    const { ports } = resolveConfig({ flags: {}, env: {}, file: parse(file("althing.toml")) }).config;
    for (const name of ["nginx.conf", "Caddyfile"]) {
      expect(new Set([...file(name).matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port)))).toEqual(
        new Set([ports.hub, ports.runner]),
      );
      for (const origin of ["althing.example.org", "pages.example.org"]) expect(file("althing.toml") + file(name)).toContain(origin);
    }
    expect(file("nginx.conf")).toMatch(
      /proxy_set_header Host \$host;[\s\S]*X-Forwarded-For \$proxy_add_x_forwarded_for;[\s\S]*Upgrade \$http_upgrade;/,
    );
  });
});

describe("units", () => {
  const units = readdirSync(join(repositoryRoot, "deploy")).filter((name) => /\.(service|timer)$/.test(name));
  /** systemd.unit(5), .exec(5), .service(5), .timer(5), .resource-control(5), as far as they are used. */
  const known: Readonly<Record<string, readonly string[]>> = {
    Unit: ["Description", "Documentation", "After", "Wants"],
    Install: ["WantedBy"],
    Timer: ["OnCalendar", "RandomizedDelaySec", "Persistent"],
    Service: [
      ...[
        "Type",
        "User",
        "Group",
        "WorkingDirectory",
        "ExecStart",
        "ExecStartPre",
        "ExecStartPost",
        "Restart",
        "RestartSec",
        "TimeoutStartSec",
        "TimeoutStopSec",
      ],
      ...[
        "KillMode",
        "UMask",
        "LimitNOFILE",
        "OOMPolicy",
        "Nice",
        "IOSchedulingClass",
        "ReadWritePaths",
        "ProtectSystem",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
      ],
      ...[
        "ProtectKernelTunables",
        "ProtectKernelModules",
        "ProtectKernelLogs",
        "ProtectControlGroups",
        "ProtectClock",
        "ProtectHostname",
        "NoNewPrivileges",
      ],
      ...[
        "CapabilityBoundingSet",
        "AmbientCapabilities",
        "LockPersonality",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "RestrictAddressFamilies",
      ],
      ...["SystemCallArchitectures", "SystemCallFilter"],
    ],
  };

  test.each(units)("%s has known sections and keys, and names files that are there", (name) => {
    let section = "";
    for (const line of file(name)
      .split("\n")
      .filter((text) => text !== "" && !text.startsWith("#"))) {
      const header = /^\[(\w+)\]$/.exec(line)?.[1];
      if (header !== undefined) {
        section = header;
        expect(Object.keys(known)).toContain(section);
      } else expect(known[section], `${name}: ${line}`).toContain(line.split("=")[0]);
    }
    for (const [, path = ""] of file(name).matchAll(/\/opt\/althing\/([\w./-]+)/g))
      expect(existsSync(join(repositoryRoot, path)), path).toBe(true);
  });

  test.each(units.filter((name) => name.endsWith(".service")))("%s runs a command that exists", async (name) => {
    const line = /^ExecStart=(.*)$/m.exec(file(name))?.[1] ?? "";
    expect(line).toContain(main);
    const args = line
      .slice(line.indexOf(main) + main.length)
      .replace(/"[^"]*"/g, "VALUE")
      .replace(/'/g, "")
      .trim()
      .split(/\s+/);
    await expectCommand(args);
    expect(file(name)).toMatch(/^NoNewPrivileges=true$/m);
    expect(file(name)).toMatch(/^ProtectSystem=strict$/m);
    expect(file(name)).toMatch(/^User=althing$/m);
  });

  test("the timer starts a unit that is there", () => {
    for (const name of units.filter((unit) => unit.endsWith(".timer"))) expect(units).toContain(name.replace(".timer", ".service"));
  });
});

test("the container runs a command that exists, as nobody's root, with its data inside the volume", async () => {
  const text = file("Containerfile");
  const command: unknown = JSON.parse(/^CMD (\[.*\])$/m.exec(text)?.[1] ?? "null");
  const args = Array.isArray(command) ? command.map(String) : [];
  await expectCommand(args.slice(args.indexOf(main) + 1));
  expect(text).toMatch(/^USER althing$/m);
  const volume = /^VOLUME (\S+)$/m.exec(text)?.[1] ?? "";
  expect(args[args.indexOf("--data") + 1]?.startsWith(`${volume}/`)).toBe(true);
  const flags = { host: args[args.indexOf("--host") + 1], behind_proxy: args.includes("--behind-proxy") };
  expect(() => resolveConfig({ flags, env: {}, file: {} })).not.toThrow();
});

test("alerts ask for metrics that the hub has", () => {
  const source = readFileSync(join(repositoryRoot, "packages/hub/src/metrics.ts"), "utf8");
  const metrics = [...file("alerts.yaml").matchAll(/\balthing_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ""));
  expect(metrics.length).toBeGreaterThan(4);
  for (const name of metrics) expect(source, name).toContain(`"${name}"`);
  expect(file("alerts.yaml").match(/- alert:/g)).toHaveLength(file("alerts.yaml").match(/summary:/g)?.length ?? 0);
});

test("the guides and the README of deploy/ name commands that exist", async () => {
  const guides = ["operator", "cluster"].map((name) => readFileSync(join(repositoryRoot, `docs/guides/${name}.md`), "utf8"));
  const text = [...guides, file("README.md")].join("\n");
  const lines = new Set([...text.matchAll(/\.\/althing ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)/g)].map(([, words = ""]) => words));
  expect(lines.size).toBeGreaterThan(10);
  for (const line of lines) {
    const [first = "", second] = line.split(" ");
    if (first === "set-up") continue;
    const { code, text: shown } = await help([first]);
    expect(code, first).toBe(0);
    // A group's second word is one of its commands; elsewhere it is an argument.
    if (second !== undefined && /^Commands:/m.test(shown) && first !== "backup")
      expect(shown, line).toMatch(new RegExp(`^ {2}${second}\\b`, "m"));
  }
});

describe("a cluster", () => {
  const guide = readFileSync(join(repositoryRoot, "docs/guides/cluster.md"), "utf8");

  test("every command of the guide exists with its flags", async () => {
    const lines = [...guide.matchAll(/\.\/althing ((?:cluster [a-z]+|check|up|bootstrap)\b[^`\n#;]*)/g)].map(([, line = ""]) =>
      line.trim(),
    );
    expect(lines.filter((line) => line.startsWith("cluster")).length).toBeGreaterThan(8);
    for (const line of lines) {
      const words = line.split(/\s+/);
      const flags = words.filter((word) => word.startsWith("-"));
      const { code, text } = await help(words.slice(0, line.startsWith("cluster") ? 2 : 1));
      expect(code, line).toBe(0);
      for (const flag of flags) expect(text, line).toMatch(new RegExp(`${flag}[ ,]`));
    }
  });

  test("the template's nodes get units with known sections, and ports that the guide names", async () => {
    await using dir = await tempDir();
    const nodes = file("nodes.toml")
      .replace("CHANGE-ME", "garden")
      .replaceAll("192.0.2.", "10.20.0.")
      .replaceAll("example.org", "althing.test");
    await writeFile(join(dir.path, "nodes.toml"), nodes);
    const { code } = await run(["cluster", "init", join(dir.path, "nodes.toml"), "-o", join(dir.path, "out")]);
    expect(code).toBe(0);
    for (const name of ["n1", "n2", "n3"]) {
      const unit = readFileSync(join(dir.path, "out", name, "althing.service"), "utf8");
      expect(unit).toBe(file("althing.service"));
      const { ports } = resolveConfig({
        flags: {},
        env: {},
        file: parse(readFileSync(join(dir.path, "out", name, "althing.toml"), "utf8")),
      }).config;
      for (const port of Object.values(ports)) expect(guide).toContain(String(port));
    }
  });

  test("the template is refused until it is filled in", async () => {
    const { code, text } = await run(["cluster", "init", join(repositoryRoot, "deploy/nodes.toml"), "-o", "/nowhere/at/all"]);
    expect(code).toBe(1);
    expect(text).toContain("still the placeholder CHANGE-ME");
  });
});

test("the README names every file", () => {
  for (const name of readdirSync(join(repositoryRoot, "deploy")).filter((entry) => entry !== "README.md"))
    expect(file("README.md")).toContain(`\`${name}\``);
});
