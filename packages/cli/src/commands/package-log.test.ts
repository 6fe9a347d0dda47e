import { executionSchema, type Execution } from "@althing/contract";
import { expect, test } from "vitest";
import { executionText, followLog } from "./package-log.ts";

const start = "2026-05-01T10:00:00.000Z";
const id = (n: number): string => `01ARZ3NDEKTSV4RRFFQ69G5F${String(n).padStart(2, "0")}`;

function execution(n: number, status: Execution["status"], more: object = {}): Execution {
  return executionSchema.parse({
    id: id(n),
    requestId: `r${n}`,
    community: id(90),
    install: id(91),
    extension: "org.example.hello",
    version: "1.0.0",
    contentHash: `sha256:${"a".repeat(64)}`,
    trigger: "http",
    name: "GET /hello",
    status,
    startedAt: start,
    ...more,
  });
}

/** Answers each question for what comes after `since` from the next of these states of the log. */
function readerOf(states: readonly (readonly Execution[] | Error)[], onLast: () => void) {
  const asked: string[] = [];
  const read = async (since: string) => {
    const state = states[asked.length];
    asked.push(since);
    if (asked.length >= states.length) onLast();
    if (state instanceof Error) throw state;
    return (state ?? []).filter((row) => row.id > since);
  };
  return { asked, read };
}

async function tail(states: readonly (readonly Execution[] | Error)[], nowMs = Date.parse(start)) {
  const ended = new AbortController();
  const { read, asked } = readerOf(states, () => ended.abort());
  const shown: string[] = [];
  const troubles: unknown[] = [];
  await followLog({
    ...{ read, signal: ended.signal, now: () => nowMs },
    onExecution: (row) => shown.push(`${row.id.slice(-1)} ${row.status}`),
    onTrouble: (error) => troubles.push(error),
  });
  return { shown, asked, troubles };
}

test("a tail shows each execution once, when it has ended, also when a later one ends first", async () => {
  const running = execution(2, "started");
  const { shown, asked } = await tail([
    [execution(1, "ok"), running, execution(3, "error")],
    [execution(1, "ok"), running, execution(3, "error")],
    [execution(1, "ok"), execution(2, "timeout"), execution(3, "error"), execution(4, "ok")],
    [execution(1, "ok"), execution(2, "timeout"), execution(3, "error"), execution(4, "ok")],
  ]);
  expect(shown).toEqual(["1 ok", "3 error", "2 timeout", "4 ok"]);
  expect(asked.map((since) => since.slice(-1))).toEqual(["0", "1", "1", "4"]);
});

test("one that never ends does not hold the others back for ever", async () => {
  const { shown } = await tail([[execution(1, "started"), execution(2, "ok")], []], Date.parse(start) + 61_000);
  expect(shown).toEqual(["1 started", "2 ok"]);
});

test("an instance that is away is asked again", async () => {
  const { shown, troubles } = await tail([new Error("away"), [execution(1, "ok")]]);
  expect(shown).toEqual(["1 ok"]);
  expect(troubles).toHaveLength(1);
});

test("a guest's log cannot write a line that looks like ours", () => {
  const text = executionText(
    execution(1, "ok", { log: [{ at: 3, level: "info", message: "one\n10:00:00  ok  http  GET /faked\u001b[2J" }] }),
  );
  expect(text.split("\n").slice(1)).toEqual(["    | 3 ms info: one", "    | 10:00:00  ok  http  GET /faked"]);
});
