/** What a node that waits tells: whom it waits for, each change once, nothing after the end. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { Cluster } from "@althing/contract";
import { freePort } from "@althing/testkit";
import { expect, test } from "vitest";
import { nodeAnswers, tellWhomToWaitFor, waitingText } from "./peer-wait.ts";

const node = (name: string) => ({ name, url: `http://localhost/${name}`, nats: "", route: "" });
const nodes = ["n1", "n2", "n3"].map(node);
const cluster: Cluster = { size: 3, majority: 2, self: node("n1"), nodes };

test("names the missing, and says when those that answer are enough", () => {
  expect(waitingText(cluster, ["n2 (u2)", "n3 (u3)"])).toBe(
    "waiting for a majority (2 of 3 nodes; 1 is up): no answer from n2 (u2), n3 (u3). Start them, in any order",
  );
  expect(waitingText(cluster, ["n3 (u3)"])).toContain("a majority is up, no answer from n3 (u3)");
  expect(waitingText(cluster, [])).toContain("all nodes answer");
  expect(waitingText({ size: 5, majority: 3 }, ["a", "b", "c"])).toContain("3 of 5 nodes; 2 are up");
});

test("tells each change once, of the others only, and stops at the end", async () => {
  const here = new Set<string>();
  const told: string[] = [];
  let looks = 0;
  await tellWhomToWaitFor({
    cluster,
    isOver: () => looks >= 6,
    pause: () => {
      looks += 1;
      if (looks === 3) here.add("n3");
      return Promise.resolve();
    },
    tell: (text) => told.push(text),
    answers: (asked) => {
      expect(asked.name).not.toBe("n1");
      return Promise.resolve(here.has(asked.name));
    },
  });
  expect(told).toHaveLength(2);
  expect(told[0]).toContain("n2 (http://localhost/n2), n3 (http://localhost/n3)");
  expect(told[1]).toContain("a majority is up, no answer from n2");
});

test("a port that listens answers, a closed one does not", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  expect(await nodeAnswers({ url })).toBe(false);
  const server = createServer((socket) => socket.end()).listen(port, "127.0.0.1");
  await once(server, "listening");
  expect(await nodeAnswers({ url })).toBe(true);
  server.close();
});
