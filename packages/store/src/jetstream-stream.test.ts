import { connect } from "@nats-io/transport-node";
import { startHostileNatsProxy, startNats, type TestNats } from "@althing/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findStream, type FindStreamOptions } from "./jetstream-stream.ts";

let nats: TestNats;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

type Answer = "found" | "made" | "missing";
const notFound = { code: 404, err_code: 10_059, description: "stream not found" };

function answerIn(payload: Uint8Array): Answer | undefined {
  const text = Buffer.from(payload).toString();
  if (text.includes("stream_create_response")) return "made";
  if (!text.includes("stream_info_response")) return undefined;
  return text.includes('"error"') ? "missing" : "found";
}

let streams = 0;
/** @returns what the servers' answers were, in order, and what came of it; `change` has each answer that the real server gives */
async function find(
  change: (answer: Answer, before: readonly Answer[]) => "pass" | "drop" | "missing",
  options: Partial<FindStreamOptions> = {},
) {
  const answers: Answer[] = [];
  await using proxy = await startHostileNatsProxy({
    target: nats.url,
    onMessage: (_subject, _headers, payload) => {
      const answer = answerIn(payload);
      if (answer === undefined) return "pass";
      const done = change(answer, answers);
      answers.push(answer);
      if (done !== "missing") return done;
      return { payload: Buffer.from(JSON.stringify({ type: "io.nats.jetstream.api.v1.stream_info_response", error: notFound })) };
    },
  });
  const connection = await connect({ servers: proxy.url });
  try {
    const name = `FOUND-${(streams += 1)}`;
    const info = await findStream(connection, { name, subjects: [`found.${name}`], storage: "memory" }, { timeoutMs: 5_000, ...options });
    return { answers, name: info.config.name, wanted: name };
  } finally {
    await connection.close();
  }
}

test("a stream that was taken into the cluster and that no server has yet is asked for until one has it", async () => {
  const { answers, name, wanted } = await find((answer, before) =>
    answer === "found" && before.filter((one) => one === "found").length < 2 ? "missing" : "pass",
  );
  expect(name).toBe(wanted);
  expect(answers).toEqual(["missing", "made", "found", "found", "found"]);
});

test("a question that nobody answers is asked again, and a making whose answer is lost is no second stream", async () => {
  const { answers } = await find((_answer, before) => (before.length < 1 ? "drop" : "pass"));
  expect(answers).toEqual(["missing", "missing", "made", "found"]);
  const lost = await find((answer, before) => (answer === "made" && !before.includes("made") ? "drop" : "pass"));
  expect(lost.answers).toEqual(["missing", "made", "found"]);
});

test("what was made and stays missing is not called lost, and what may not be made is missing at once", async () => {
  await expect(find((answer) => (answer === "found" ? "missing" : "pass"), { timeoutMs: 300 })).rejects.toMatchObject({
    code: "store.unavailable",
  });
  await expect(find(() => "pass", { mayCreate: false })).rejects.toMatchObject({ code: "store.corrupt" });
});
