/** The official release: taken only when its checksum is the one that stands in the set-up. */
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { tempDir } from "@althing/testkit";
import { expect, test } from "vitest";
import { fetchRelease, natsServerRelease } from "./fetch-release.mjs";
import { isNewEnough, natsServerVersion } from "./provide-nats-server.mjs";

const machine = { platform: "linux", arch: "x64" };
const full = "nats-server-v2.99.1-linux-amd64";

/** A release of a program that says what nats-server says. */
async function serveRelease(dir: string, redirect = false) {
  const files = join(dir, "files");
  mkdirSync(join(files, full), { recursive: true });
  const program = join(files, full, "nats-server");
  writeFileSync(program, "#!/bin/sh\necho 'nats-server: v2.99.1'\n");
  chmodSync(program, 0o755);
  const archive = join(dir, "archive.tar.gz");
  execFileSync("tar", ["-czf", archive, "-C", files, full]);
  const bytes = readFileSync(archive);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (redirect && request.url?.startsWith("/v/") === true) response.writeHead(302, { location: "/elsewhere" }).end();
    else if (request.url === `/v/${full}.tar.gz` || request.url === "/elsewhere") response.end(bytes);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    asked,
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v`,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const accept = async (path: string) => {
  const version = await natsServerVersion(path);
  return isNewEnough(version) ? version : undefined;
};

test.each([false, true])("a release with the right checksum is unpacked, run and kept (redirected: %s)", async (redirect) => {
  await using dir = await tempDir();
  await using served = await serveRelease(dir.path, redirect);
  const release = { version: "2.99.1", base: served.base, sha256: { "linux-amd64": served.sha256 } };
  const [folder, target] = [join(dir.path, "work"), join(dir.path, "nats-server")];
  expect(await fetchRelease({ folder, target, accept, release, machine })).toBe("2.99.1");
  expect(await natsServerVersion(target)).toBe("2.99.1");
  expect(existsSync(folder)).toBe(false);
});

test("one byte of difference ends it with both sums, and nothing is kept or run", async () => {
  await using dir = await tempDir();
  await using served = await serveRelease(dir.path);
  const release = { version: "2.99.1", base: served.base, sha256: { "linux-amd64": "0".repeat(64) } };
  let ran = false;
  const run = fetchRelease({
    ...{ folder: join(dir.path, "work"), target: join(dir.path, "nats-server"), release, machine },
    accept: async () => {
      ran = true;
      return "2.99.1";
    },
  });
  await expect(run).rejects.toThrow(new RegExp(`${served.sha256} and not 0{64}`));
  expect(ran).toBe(false);
  expect(readdirSync(dir.path).sort()).toEqual(["archive.tar.gz", "files"]);
});

test("a machine whose checksum is not known asks nobody; an answer that is none leaves it to the next line", async () => {
  await using dir = await tempDir();
  await using served = await serveRelease(dir.path);
  const place = { folder: join(dir.path, "work"), target: join(dir.path, "nats-server"), accept };
  const release = { version: "2.99.1", base: served.base, sha256: { "linux-amd64": served.sha256 } };
  expect(await fetchRelease({ ...place, release, machine: { platform: "darwin", arch: "arm64" } })).toBeUndefined();
  expect(served.asked).toEqual([]);
  expect(await fetchRelease({ ...place, release: { ...release, base: `${served.base}/none` }, machine })).toBeUndefined();
  expect(existsSync(place.target)).toBe(false);
});

test("a program that does not say what is wanted is not kept", async () => {
  await using dir = await tempDir();
  await using served = await serveRelease(dir.path);
  const release = { version: "2.99.1", base: served.base, sha256: { "linux-amd64": served.sha256 } };
  const target = join(dir.path, "nats-server");
  expect(await fetchRelease({ folder: join(dir.path, "work"), target, accept: async () => undefined, release, machine })).toBeUndefined();
  expect(existsSync(target)).toBe(false);
});

test("what is pinned is new enough, and each sum is a whole one", () => {
  expect(isNewEnough(natsServerRelease.version)).toBe(true);
  expect(natsServerRelease.base).toContain(`/v${natsServerRelease.version}`);
  for (const sum of Object.values(natsServerRelease.sha256)) expect(sum).toMatch(/^[0-9a-f]{64}$/);
});
