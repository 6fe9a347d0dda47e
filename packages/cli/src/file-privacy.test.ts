import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import { describe, expect, test } from "vitest";
import { checkFolderOf, checkPrivateFile, isPrivateGroup, isTrustedOwner } from "./file-privacy.ts";

const group = "root:x:0:\nann:x:1000:\nteam:x:1001:ann,ben\nben:x:1002:ann\n";
const passwd = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/nonexistent:/bin/sh\nben:x:1001:1002::/nonexistent:/bin/sh\n";

describe("key files", () => {
  test("are refused when group or others may read, write or run them", async () => {
    await using dir = await tempDir();
    const path = join(dir.path, "a.id");
    writeFileSync(path, "");
    for (const mode of [0o600, 0o400]) {
      chmodSync(path, mode);
      expect(() => checkPrivateFile(path)).not.toThrow();
    }
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777]) {
      chmodSync(path, mode);
      expect(() => checkPrivateFile(path), mode.toString(8)).toThrow(expect.objectContaining({ code: "identity.mode" }));
    }
  });
});

describe("the folder of a key file", () => {
  test("may be read by all, may not be written by all unless it is sticky", async () => {
    await using dir = await tempDir();
    const folder = join(dir.path, "f");
    mkdirSync(folder);
    const path = join(folder, "a.id");
    for (const [mode, fine] of [
      [0o700, true],
      [0o755, true],
      [0o777, false],
      [0o757, false],
      [0o1777, true],
    ] as const) {
      chmodSync(folder, mode);
      if (fine) expect(() => checkFolderOf(path), mode.toString(8)).not.toThrow();
      else expect(() => checkFolderOf(path), mode.toString(8)).toThrow(expect.objectContaining({ code: "data.mode" }));
    }
    chmodSync(folder, 0o700);
  });

  test("may be written by a group that is the owner's alone, and by no other", () => {
    expect(isPrivateGroup(1000, "ann", group, passwd)).toBe(true);
    expect(isPrivateGroup(1001, "ann", group, passwd)).toBe(false);
    expect(isPrivateGroup(1002, "ben", group, passwd)).toBe(false);
    expect(isPrivateGroup(1000, "ann", group, `${passwd}eve:x:1003:1000::/:/bin/sh\n`)).toBe(false);
    expect(isPrivateGroup(4_711, "ann", group, passwd)).toBe(false);
  });
});

test("a file tells the caller what to do only when it is its own or root's", () => {
  expect([isTrustedOwner(1_000, 1_000), isTrustedOwner(0, 1_000), isTrustedOwner(1_000, undefined)]).toEqual([true, true, true]);
  expect([isTrustedOwner(1_001, 1_000), isTrustedOwner(1_000, 0)]).toEqual([false, false]);
});
