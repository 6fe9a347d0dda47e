import { Readable } from "node:stream";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { exitCodeOf, exitCodes } from "./exit-code.ts";
import type { CliHost } from "./host.ts";
import { buildProgram, runProgram } from "./program.ts";
import { AppError } from "@althing/contract";

function every(command: Command, path: readonly string[] = []): { readonly path: string; readonly command: Command }[] {
  return [{ path: path.join(" "), command }, ...command.commands.flatMap((child) => every(child, [...path, child.name()]))];
}

async function run(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const host: CliHost = {
    terminal: undefined,
    stdin: Readable.from([]),
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env: {},
    cwd: "/nonexistent",
    now: () => 0,
    onInterrupt: () => () => undefined,
    takeSignals: () => undefined,
  };
  const code = await runProgram(host, argv);
  return { code, stdout: out.join(""), stderr: err.join("") };
}

describe("the command tree", () => {
  const commands = every(buildProgram()).filter(({ path }) => path !== "");

  test("has the commands that the guides promise", () => {
    const paths = new Set(commands.map(({ path }) => path));
    const promised = [
      "up",
      "stop",
      "status",
      "doctor",
      "config",
      "smoke",
      "check",
      "bootstrap",
      "invite",
      "join",
      "chat",
      "worker",
      "completion",
    ];
    const groups = {
      identity: ["new", "show", "protect", "backup", "restore"],
      user: ["add", "list", "revoke"],
      blob: ["put", "get"],
      room: ["create", "list", "show", "invite", "join", "leave", "kick", "delete", "rekey", "send", "tail", "history", "safety"],
      community: [
        ...["create", "list", "show", "set", "leave", "delete", "export", "find", "door", "join", "withdraw", "invite", "invitations"],
        ...["uninvite", "requests", "approve", "decline", "request", "unrequest", "founding-requests", "found", "refuse"],
      ],
      member: ["list", "add", "roles", "remove", "erase"],
      role: ["list", "show", "create", "set", "remove"],
      policy: ["show", "set", "why", "dry-run"],
      "instance policy": ["show", "set"],
      trust: ["list", "add", "remove", "revoke"],
      registry: ["list", "show", "deprecate", "yank"],
      package: ["install", "upgrade", "consent", "activate", "deactivate", "rollback", "settings", "log", "usage", "versions", "remove"],
      ext: ["new", "dev", "build", "test", "pack", "key new", "sign", "verify", "inspect", "publish", "install", "logs", "call"],
    };
    for (const path of [...promised, ...Object.entries(groups).flatMap(([group, names]) => names.map((name) => `${group} ${name}`))])
      expect(paths, path).toContain(path);
  });

  test.each(commands)("$path has help with examples that the tree parses", async ({ path, command }) => {
    const { code, stdout } = await run(...path.split(" "), "--help");
    expect(code).toBe(exitCodes.done);
    const examples = stdout
      .slice(stdout.indexOf("Examples:"))
      .split("\n")
      .filter((line) => line.startsWith("  $ "));
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.every((line) => line.includes(`althing ${path}`) || command.commands.length > 0)).toBe(true);
  });
});

describe("wrong usage ends with 2, says what is wrong and touches nothing", () => {
  const wrong: readonly (readonly [string, readonly string[]])[] = [
    ["an unknown command", ["gardn"]],
    ["an unknown flag", ["status", "--frobnicate"]],
    ["a missing argument", ["room", "send", "garden"]],
    ["too many arguments", ["stop", "now"]],
    ["a missing required flag", ["bootstrap", "--as", "a.id"]],
    ["a group without subcommand", ["room"]],
    ["a number out of bounds", ["check", "--messages", "0", "--as", "a.id"]],
    ["a time without unit", ["check", "--mode", "loop", "--duration", "30", "--as", "a.id"]],
    ["an unknown choice", ["check", "--mode", "silver", "--as", "a.id"]],
    ["a handle that cannot exist", ["bootstrap", "--as", "a.id", "--handle", "Al Ice"]],
    ["a room that cannot exist", ["room", "join", "../etc", "--as", "a.id"]],
    ["no identity", ["room", "list"]],
    ["an address that is none", ["status", "--url", "ftp://x"]],
    ["a port that is none", ["up", "--port", "99999"]],
    ["a token that is none", ["join", "short", "--as", "a.id", "--handle", "bob"]],
    ["a community that cannot exist", ["member", "list", "Gar den", "--as", "a.id"]],
    ["a role that cannot exist", ["role", "create", "garden", "Gar dener", "--as", "a.id"]],
    ["a permission that does not exist", ["role", "create", "garden", "gardener", "--permission", "fly", "--as", "a.id"]],
    ["a role change that changes nothing", ["role", "set", "garden", "gardener", "--as", "a.id"]],
    ["a way of joining that does not exist", ["community", "set", "garden", "--registration", "sometimes", "--as", "a.id"]],
    ["an answer without its question", ["community", "join", "garden", "--answer", "because", "--as", "a.id"]],
    ["uses of an invitation to the instance", ["invite", "--uses", "3", "--as", "a.id"]],
    ["a package without its community", ["package", "list", "--as", "a.id"]],
    ["a package that cannot exist", ["package", "show", "hello", "--community", "garden", "--as", "a.id"]],
    ["a policy key that does not exist", ["policy", "set", "garden", "colour=red", "--as", "a.id"]],
    ["a template that does not exist", ["ext", "new", "hello", "--template", "rust"]],
    ["a folder that is no project", ["ext", "build"]],
    ["an unknown variable", ["config", "--port", "eighty"]],
  ];
  test.each(wrong)("%s", async (_, argv) => {
    const plain = await run(...argv);
    expect(plain.code).toBe(exitCodes.usage);
    expect(plain.stdout).toBe("");
    expect(plain.stderr).not.toBe("");
    const json = await run(...argv, "--json");
    expect(json.code).toBe(exitCodes.usage);
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: { code: expect.stringMatching(/^(cli|config)\./), message: expect.any(String), fix: expect.any(String) },
    });
  });
});

describe("words that begin with a dash", () => {
  test("an invitation or endpoint id is an argument, whatever its first character", async () => {
    const token = `-${"A".repeat(41)}E`;
    const join = await run("join", token, "--as", "/nonexistent/a.id", "--handle", "bob", "--json");
    expect(JSON.parse(join.stdout)).toMatchObject({ error: { code: "identity.not_found" } });
    const role = await run("room", "role", "garden", token, "owner", "--as", "/nonexistent/a.id", "--json");
    expect(JSON.parse(role.stdout)).toMatchObject({ error: { code: "identity.not_found" } });
  });

  test("a message does after --", async () => {
    const sent = await run("room", "send", "garden", "--as", "/nonexistent/a.id", "--json", "--", "-5 degrees");
    expect(JSON.parse(sent.stdout)).toMatchObject({ error: { code: "identity.not_found" } });
  });
});

describe("exit codes", () => {
  test("tell refused, usage and unreachable apart", () => {
    expect(exitCodeOf(new AppError("auth.forbidden"))).toBe(1);
    expect(exitCodeOf(new AppError("cli.declined"))).toBe(1);
    expect(exitCodeOf(new Error("anything"))).toBe(1);
    expect(exitCodeOf(new AppError("cli.usage"))).toBe(2);
    expect(exitCodeOf(new AppError("config.unknown_key"))).toBe(2);
    expect(exitCodeOf(new AppError("client.unreachable"))).toBe(3);
  });
});
