import { createMockHost, equal, missingHandlers, test } from "@althing/sdk/testing";
import manifest from "../manifest.json" with { type: "json" };
import { extension } from "../src/index.ts";

const ada = { id: "a", handle: "ada" };
const bob = { id: "b", handle: "bob" };
const tea = { question: "Tea?", options: ["yes", "no"] };

function withPoll() {
  const host = createMockHost({ extension, manifest });
  equal(host.request("POST", "/polls", { json: tea, actor: ada }).status, 201);
  return host;
}

test("everything that the manifest declares has a handler", () => {
  equal(missingHandlers(extension, manifest), []);
});

test("a poll counts one vote for each member, the last one", () => {
  const host = withPoll();
  host.request("POST", "/polls/000001/vote", { json: { choice: 0 }, actor: ada });
  host.request("POST", "/polls/000001/vote", { json: { choice: 0 }, actor: bob });
  host.request("POST", "/polls/000001/vote", { json: { choice: 1 }, actor: bob });
  const poll = host.request("GET", "/polls/000001", { actor: ada }).json() as { counts: number[]; mine: number };
  equal([poll.counts, poll.mine], [[1, 1], 0]);
});

test("polls are listed, each with its own id", () => {
  const host = withPoll();
  host.request("POST", "/polls", { json: { ...tea, question: "Coffee?" }, actor: bob });
  const { polls } = host.request("GET", "/polls").json() as { polls: { id: string; author: string }[] };
  equal(
    polls.map((poll) => [poll.id, poll.author]),
    [
      ["000001", "ada"],
      ["000002", "bob"],
    ],
  );
});

test("strangers neither ask nor vote", () => {
  const host = withPoll();
  equal(host.request("POST", "/polls", { json: tea }).status, 401);
  equal(host.request("POST", "/polls/000001/vote", { json: { choice: 0 } }).status, 401);
});

test("what is no poll, no option and no vote is refused", () => {
  const host = withPoll();
  for (const body of [
    {},
    { question: "", options: ["a", "b"] },
    { question: "q", options: ["a"] },
    { question: "q", options: ["a", "a"] },
    [],
    null,
    7,
  ]) {
    equal(host.request("POST", "/polls", { json: body, actor: ada }).status, 400, JSON.stringify(body));
  }
  for (const choice of [-1, 2, 0.5, "0", null])
    equal(host.request("POST", "/polls/000001/vote", { json: { choice }, actor: ada }).status, 400, String(choice));
  equal(host.request("GET", "/polls/999").status, 404);
});
