/** An instance that listens on the other loopback address: whoever is on the machine reaches it by any of its names, and two people talk through each. */
import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { openWorkplace } from "./althing-process.ts";
import { inProcess } from "./in-process.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1") === true);

test(
  "up --host ::1 is reached by every name that it prints and takes; where there is no such address, it says so",
  { timeout: 120_000 },
  async () => {
    await using place = await openWorkplace();
    const cli = inProcess(place);
    const refused = await place.run(["up", "--json", "--behind-proxy", "--host", hasIpv6 ? "2001:db8::1" : "::1"]);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: "config.invalid", params: { key: "host", detail: "this machine has no such address" } },
    });
    if (!hasIpv6) return;
    for (const name of ["alice", "bob"]) await cli.ok("identity", "new", `${name}.id`);
    await cli.ok("bootstrap", "--as", "alice.id", "--handle", "alice");
    const running = await place.up("--host", "[::1]");
    try {
      const names = [running.url, ...["127.0.0.1", "[::1]"].map((host) => `http://${host}:${place.ports.hub}`)];
      for (const url of names) expect((await fetch(`${url}/healthz`)).status, url).toBe(200);
      // Without an address: the instance that runs here.
      await cli.ok("join", await cli.ok("invite", "--as", "alice.id"), "--as", "bob.id", "--handle", "bob");
      await cli.ok("room", "create", "lobby", "--as", "alice.id");
      await cli.ok("room", "invite", "lobby", "bob", "--as", "alice.id");
      await cli.ok("room", "join", "lobby", "--as", "bob.id");
      for (const url of names) await cli.ok("room", "send", "lobby", `said through ${url}`, "--as", "alice.id", "--url", url);
      const heard = await cli.ok("room", "history", "lobby", "--as", "bob.id", "--url", names.at(-1) ?? "");
      expect(names.filter((url) => !heard.includes(`said through ${url}`))).toEqual([]);
      expect(await cli.ok("status")).toContain("ready");
    } finally {
      running.child.kill("SIGTERM");
      await running.exited;
    }
  },
);
