import { readFile, stat } from "node:fs/promises";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { findNatsServer } from "./find-nats-server.ts";
import { startNats } from "./start-nats.ts";
import { tempDir } from "./temp-dir.ts";

test("the server found is new enough and answers on the port it chose itself", async () => {
  expect(await findNatsServer()).toContain("nats-server");
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const [major = 0, minor = 0] = (connection.info?.version ?? "").split(".").map(Number);
  expect(major * 100 + minor).toBeGreaterThanOrEqual(212);
  expect(connection.info?.jetstream).toBe(true);
  await connection.close();
});

test("two servers started together do not share a port, and both folders go at the end", async () => {
  const [a, b] = await Promise.all([startNats(), startNats()]);
  expect(a.port).not.toBe(b.port);
  await Promise.all([a.stop(), b.stop()]);
  await expect(stat(a.dir)).rejects.toThrow("ENOENT");
  expect(() => process.kill(a.pid, 0)).toThrow("ESRCH");
  await a.stop();
});

test("a given folder stays, so that a killed server can come back on its data and port", async () => {
  await using dir = await tempDir();
  const first = await startNats({ dir: dir.path, config: "server_name: again" });
  await first.kill("SIGKILL");
  await using second = await startNats({ dir: dir.path, port: first.port, config: "server_name: again" });
  expect(second.port).toBe(first.port);
  expect(await readFile(`${dir.path}/test-nats.conf`, "utf8")).toContain("again");
});

test("a broken configuration is an error with the server's own words", async () => {
  await expect(startNats({ config: "no_such_option_at_all: {" })).rejects.toMatchObject({ code: "nats.start_failed" });
});
