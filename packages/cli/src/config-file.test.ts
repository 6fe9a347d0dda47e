import { chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import { describe, expect, test } from "vitest";
import { loadConfig } from "./config-file.ts";

describe("althing.toml", () => {
  test("flags beat the environment, which beats the file, which beats defaults", async () => {
    await using dir = await tempDir();
    writeFileSync(join(dir.path, "althing.toml"), 'port = 9001\nnats_port = 9002\nlog_level = "warn"\n');
    const { config, sources, file } = loadConfig({ flags: { port: "9010" }, env: { ALTHING_NATS_PORT: "9020" }, cwd: dir.path });
    expect(config).toMatchObject({ port: 9_010, log_level: "warn", host: "127.0.0.1", ports: { nats: 9_020 } });
    expect(sources).toMatchObject({ port: "flag", nats_port: "environment", log_level: "file", host: "default" });
    expect(file).toBe(join(dir.path, "althing.toml"));
  });

  test("the one in the data folder is read when the current folder has none, and cannot name another folder", async () => {
    await using dir = await tempDir();
    mkdirSync(join(dir.path, "d"));
    writeFileSync(join(dir.path, "d/althing.toml"), "port = 9003\n");
    expect(loadConfig({ flags: { data: "d" }, env: {}, cwd: dir.path }).config.port).toBe(9_003);
    expect(loadConfig({ flags: {}, env: { ALTHING_DATA: "d" }, cwd: dir.path }).config.port).toBe(9_003);
    expect(loadConfig({ flags: {}, env: {}, cwd: dir.path }).file).toBeUndefined();
    writeFileSync(join(dir.path, "d/althing.toml"), 'data = "elsewhere"\n');
    expect(() => loadConfig({ flags: { data: "d" }, env: {}, cwd: dir.path })).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });

  test("an unknown key, a wrong kind and no TOML at all are errors that name the place", async () => {
    await using dir = await tempDir();
    for (const [text, code] of [
      ["prot = 1\n", "config.unknown_key"],
      ['port = "many"\n', "config.invalid"],
      ["port = = 1\n", "config.invalid"],
      ["[port]\nx = 1\n", "config.invalid"],
    ] as const) {
      writeFileSync(join(dir.path, "althing.toml"), text);
      expect(() => loadConfig({ flags: {}, env: {}, cwd: dir.path }), text).toThrow(expect.objectContaining({ code }));
    }
  });

  test("one of another user's is refused with its owner, in either folder; nobody asks root to trust it", async () => {
    await using dir = await tempDir();
    mkdirSync(join(dir.path, "d"));
    const real = process.getuid;
    for (const [place, flags] of [
      ["althing.toml", {}],
      ["d/althing.toml", { data: "d" }],
    ] as const) {
      const path = join(dir.path, place);
      writeFileSync(path, "port = 9001\n");
      // As root the file is given away; as anybody else the caller is another.
      if (real?.() === 0) chownSync(path, 4_711, 4_711);
      else process.getuid = () => 4_712;
      try {
        expect(() => loadConfig({ flags, env: {}, cwd: dir.path })).toThrow(
          expect.objectContaining({ code: "config.invalid", message: expect.stringMatching(/owned by user \d+/) }),
        );
      } finally {
        if (real !== undefined) process.getuid = real;
      }
      if (real?.() === 0) chownSync(path, 0, 0);
      expect(loadConfig({ flags, env: {}, cwd: dir.path }).config.port).toBe(9_001);
      rmSync(path);
    }
  });
});
