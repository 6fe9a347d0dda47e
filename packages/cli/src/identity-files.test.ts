/** What somebody else in a shared folder can lay in wait for a recovery phrase. */
import { newRecoveryPhrase } from "@althing/crypto";
import { tempDir } from "@althing/testkit";
import { chmod, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createIdentityFile, replaceIdentityFile } from "./identity-files.ts";

it("writes the phrase into a file it made itself, never through one that waits under a name one can guess", async () => {
  await using dir = await tempDir();
  await chmod(dir.path, 0o1777);
  const loot = join(dir.path, "loot");
  await writeFile(loot, "", { mode: 0o666 });
  await symlink(loot, join(dir.path, `.alice.id.${process.pid}.tmp`));
  const path = join(dir.path, "alice.id");
  const phrase = newRecoveryPhrase();
  await createIdentityFile(path, phrase, undefined);
  await replaceIdentityFile(path, phrase, undefined);
  expect(await readFile(loot, "utf8")).toBe("");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await readdir(dir.path)).sort()).toEqual([`.alice.id.${process.pid}.tmp`, "alice.id", "loot"]);
});
