/** Guests of another toolchain and another version of WASI, first honest, then hostile: each ends by a limit, and its process goes on to serve. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, handwritten, type HandwrittenGuest } from "./wasi-guests.ts";
import { openWasiWorld, type WasiCall, type WasiWorld } from "./wasi-world.ts";

let world: WasiWorld;
let honest = "";

beforeAll(async () => {
  world = await openWasiWorld();
  honest = await world.add(await handwritten({ text: "hi there", code: answer(201, 8) }));
}, 60_000);
afterAll(() => world.close());

const run = async (guest: HandwrittenGuest, change: WasiCall = {}) => world.call(await world.add(await handwritten(guest)), "/", change);
const failed = (code: string, rule: string) => expect.objectContaining({ kind: "failed", code, rule });

async function restarts(): Promise<string | undefined> {
  const text = await (await fetch(`${world.service.runner.internalUrl}/metrics`)).text();
  return /^althing_runner_sandbox_restarts\S* (\d+)/m.exec(text)?.[1];
}

const forever = (code: string): string => `(loop $again ${code} (br $again))`;
const endless = { limits: { fuel: 10 ** 12, timeMs: 300 } };
const lifting = { limits: { fuel: 10 ** 12, liftedBytes: 1_024 * 1_024 } };

describe("an honest guest", () => {
  test.each(["0.2.0", "0.2.3", "0.2.8", "0.2.12"])("of WASI %s answers", async (version) => {
    const { result, text } = await run({ version, text: `v ${version}`, code: answer(201, 2 + version.length) });
    expect([result.outcome, text]).toEqual([{ kind: "response", status: 201, headers: [] }, `v ${version}`]);
  });

  test("that exits after its answer has given it", async () => {
    const { result, text } = await run({ text: "done", code: `${answer(200, 4)} (call $exit (i32.const 0)) (unreachable)` });
    expect([result.outcome.kind, text]).toEqual(["response", "done"]);
  });

  test("finds no folder, no environment and no socket", async () => {
    const count = (name: string): string => `(call $${name} (i32.const 2048)) (if (i32.load (i32.const 2052)) (then (unreachable)))`;
    // The error case with the second of its codes, `access-denied`.
    const socket = `(call $create_tcp (i32.const 0) (i32.const 2048))
      (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then (unreachable)))
      (if (i32.ne (i32.load8_u (i32.const 2052)) (i32.const 1)) (then (unreachable)))`;
    const { result } = await run({ text: "none", code: `${count("directories")} ${count("environment")} ${socket} ${answer(200, 4)}` });
    expect(result.outcome.kind).toBe("response");
  });

  test("has what it wrote without an end of line in the log, also when it traps", async () => {
    const code = `(local.set $stream (call $get_stdout)) (call $write (local.get $stream) (i32.const 0) (i32.const 13) (i32.const 1024)) (unreachable)`;
    const { result } = await run({ text: "first\nlast wo", code });
    expect(result.outcome).toEqual(failed("ext.trap", "trap"));
    expect(result.log.map(({ message }) => message)).toEqual(["first", "last wo"]);
  });

  test("waits for the shortest of what it polls", async () => {
    const code = `(i32.store (i32.const 512) (call $subscribe_duration (i64.const 60000000000)))
      (i32.store (i32.const 516) (call $subscribe_duration (i64.const 50000000)))
      (local.set $n (call $now))
      (call $poll (i32.const 512) (i32.const 2) (i32.const 1024))
      (if (i64.lt_u (i64.sub (call $now) (local.get $n)) (i64.const 49000000)) (then (unreachable)))
      (if (i32.ne (i32.load (i32.load (i32.const 1024))) (i32.const 1)) (then (unreachable)))
      ${answer(200, 2)}`;
    const { result } = await run({ text: "ok", code });
    expect(result.outcome.kind).toBe("response");
    expect(result.usage.durationMs).toBeLessThan(2_000);
  });
});

describe("without an answer", () => {
  test.each([
    ["nothing at all", "(nop)"],
    ["an exit", "(call $exit (i32.const 1))"],
    ["a body that is not finished", answer(200, 2).replace(/\(call \$body_finish.*$/s, "")],
    ["a body that is dropped", `${answer(200, 2).replace(/\(call \$body_finish.*$/s, "")} (call $drop_body (local.get $body))`],
    [
      "an error code",
      `(call $set_answer (local.get $out) (i32.const 1) (i32.const 37) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
    ],
  ])("%s is the guest's fault", async (_what, code) => {
    expect((await run({ code })).result.outcome).toEqual(failed("ext.trap", "error"));
  });

  test("a refusal that is passed on is the capability's", async () => {
    const code = `(call $set_answer (local.get $out) (i32.const 1) (i32.const 15) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`;
    expect((await run({ code })).result.outcome).toEqual(failed("ext.capability_denied", "capability"));
  });
});

describe("a hostile guest", () => {
  /** `catch_all` around something that throws in the host. */
  const swallow = (code: string): string => `(block $caught (try_table (catch_all $caught) ${code}))`;
  const pollOfTheSame = (times: number): HandwrittenGuest => ({
    pages: 80,
    code: `(local.set $a (call $subscribe_duration (i64.const 0)))
      (loop $fill (i32.store (i32.add (i32.const 1048576) (local.get $b)) (local.get $a)) (br_if $fill (i32.lt_u (local.tee $b (i32.add (local.get $b) (i32.const 4))) (i32.const ${4 * times}))))
      (call $poll (i32.const 1048576) (i32.const ${times}) (i32.const 1024))`,
  });
  const cases: readonly (readonly [what: string, guest: HandwrittenGuest, code: string, rule: string, change?: WasiCall])[] = [
    [
      "calls a cheap function for ever",
      { code: forever("(drop (call $now))") },
      "ext.quota_exceeded",
      "fuel",
      { limits: { fuel: 50_000_000 } },
    ],
    ["the same with fuel without end", { code: forever("(drop (call $now))") }, "ext.timeout", "time", endless],
    [
      "makes timers and keeps them",
      { code: forever("(drop (call $subscribe_duration (i64.const 1000000000000)))") },
      "ext.quota_exceeded",
      "lifted",
      lifting,
    ],
    [
      "makes timers and drops them",
      { code: forever("(call $drop_pollable (call $subscribe_duration (i64.const 1)))") },
      "ext.quota_exceeded",
      "lifted",
      lifting,
    ],
    ["waits for ever", { code: "(call $block (call $subscribe_duration (i64.const -1)))" }, "ext.timeout", "time", endless],
    [
      "blocks for ever on what is ready",
      { code: `(local.set $a (call $subscribe_duration (i64.const 0))) ${forever("(call $block (local.get $a))")}` },
      "ext.timeout",
      "time",
      endless,
    ],
    ["polls nothing", { code: "(call $poll (i32.const 0) (i32.const 0) (i32.const 1024))" }, "ext.trap", "trap"],
    ["polls more than it may", pollOfTheSame(1_025), "ext.trap", "trap"],
    // Each handle becomes an object before the poll can count them: the budget ends that, not the watchdog.
    ["polls a million times the same", pollOfTheSame(1_000_000), "ext.quota_exceeded", "lifted"],
    [
      "polls handles it does not have",
      { code: "(i32.store (i32.const 512) (i32.const 77)) (call $poll (i32.const 512) (i32.const 1) (i32.const 1024))" },
      "ext.trap",
      "trap",
    ],
    [
      "swallows the faults of unaligned lists for ever",
      { code: forever(swallow("(call $poll (i32.const 513) (i32.const 1) (i32.const 1024))")) },
      "ext.timeout",
      "time",
      endless,
    ],
    [
      "swallows the faults of dropping what is not there for ever",
      { code: forever(swallow("(call $drop_fields (i32.const 99))")) },
      "ext.timeout",
      "time",
      endless,
    ],
    [
      "uses what it dropped",
      { code: "(local.set $a (call $new_fields)) (call $drop_fields (local.get $a)) (drop (call $clone (local.get $a)))" },
      "ext.trap",
      "trap",
    ],
    [
      "drops what it gave away",
      { code: "(local.set $a (call $new_fields)) (drop (call $new_response (local.get $a))) (call $drop_fields (local.get $a))" },
      "ext.trap",
      "trap",
    ],
    ["asks for 4 GiB of randomness", { code: "(call $random (i64.const 4294967296) (i32.const 1024))" }, "ext.trap", "trap"],
    [
      "writes to its log for ever",
      {
        text: "spam\n",
        code: `(local.set $stream (call $get_stdout)) ${forever("(call $write (local.get $stream) (i32.const 0) (i32.const 5) (i32.const 1024))")}`,
      },
      "ext.quota_exceeded",
      "log",
      { limits: { fuel: 10 ** 12 } },
    ],
    [
      "writes more than it may at once",
      {
        pages: 4,
        code: `${answer(200, 1).replace(/\(call \$write .*$/s, "")} (call $write (local.get $stream) (i32.const 0) (i32.const 65537) (i32.const 1024))`,
      },
      "ext.trap",
      "trap",
    ],
    [
      "has the host write zeroes for ever",
      {
        code: `${answer(200, 1).replace(/\(call \$write .*$/s, "")} ${forever("(call $write_zeroes (local.get $stream) (i64.const 65536) (i32.const 1024))")}`,
      },
      "ext.response_too_large",
      "result",
    ],
    [
      "copies fields for ever",
      {
        text: "x-name",
        code: `(local.set $a (call $new_fields))
      ${"(call $append (local.get $a) (i32.const 0) (i32.const 6) (i32.const 16384) (i32.const 8192) (i32.const 1024))".replace("16384", "131072")}
      ${forever("(drop (call $clone (local.get $a)))")}`,
      },
      "ext.quota_exceeded",
      "lifted",
      lifting,
    ],
    [
      "sends one request's worth of text a thousand times",
      {
        text: "example.org",
        code: forever(`
      (local.set $a (call $new_request (call $new_fields)))
      (drop (call $set_authority (local.get $a) (i32.const 1) (i32.const 0) (i32.const 11)))
      (call $send (local.get $a) (i32.const 0) (i32.const 0) (i32.const 1024))`),
      },
      "ext.quota_exceeded",
      "host_calls",
      { limits: { fuel: 10 ** 12 } },
    ],
    [
      "waits for a request whose body it never ends",
      {
        text: "example.org",
        code: `
      (local.set $a (call $new_request (call $new_fields)))
      (call $request_body (local.get $a) (i32.const 1024))
      (drop (call $set_authority (local.get $a) (i32.const 1) (i32.const 0) (i32.const 11)))
      (call $send (local.get $a) (i32.const 0) (i32.const 0) (i32.const 1024))
      (call $block (call $future_subscribe (i32.load (i32.const 1032))))`,
      },
      "ext.timeout",
      "time",
      endless,
    ],
  ];

  for (const [what, guest, code, rule, change] of cases) {
    test(`that ${what} ends by ${rule}; nobody is hurt`, async () => {
      const before = await restarts();
      const contentHash = await world.add(await handwritten(guest));
      for (let round = 0; round < (rule === "time" ? 1 : 2); round++) {
        const { result } = await world.call(contentHash, "/", change);
        expect(result.outcome).toEqual(failed(code, rule));
        expect(result.usage.durationMs).toBeLessThan(4_000);
      }
      // At a deadline a machine that is busy otherwise may not give the process its turn in time.
      if (rule !== "time") expect(await restarts()).toBe(before);
      expect((await world.call(honest, "/")).text).toBe("hi there");
    });
  }

  test("cannot set names and values that are no header, nor more than a header holds", async () => {
    const append = (name: number, nameLength: number, value: number, valueLength: number): string =>
      `(call $append (local.get $a) (i32.const ${name}) (i32.const ${nameLength}) (i32.const ${value}) (i32.const ${valueLength}) (i32.const 1024))`;
    const refused = (code: string, which: number): string =>
      `${code} (if (i32.ne (i32.load16_u (i32.const 1024)) (i32.const ${1 + 256 * which})) (then (unreachable)))`;
    const text = "x-name a\r\nb host";
    const code = `(local.set $a (call $new_fields))
      ${refused(append(0, 8, 0, 1), 0)} ${refused(append(0, 0, 0, 1), 0)} ${refused(append(0, 6, 7, 4), 0)} ${refused(append(12, 4, 0, 1), 1)}
      ${refused(append(0, 6, 131_072, 65_536), 1)}
      (local.set $b (i32.const 256))
      (loop $more ${append(0, 6, 0, 1)} (br_if $more (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
      ${refused(append(0, 6, 0, 1), 1)} ${answer(200, 2)}`;
    expect((await run({ text, code })).result.outcome.kind).toBe("response");
  });

  test("that only calls the host lets its neighbours in the process run, and what they wait for end", async () => {
    // On "/" it waits for 20 ms and answers; on any other path it calls for ever, or polls what is ready for ever.
    const code = `(call $path (local.get $request) (i32.const 1024))
      (local.set $a (call $subscribe_duration (i64.const 0)))
      (if (i32.eq (i32.load (i32.const 1032)) (i32.const 2)) (then ${forever("(drop (call $now))")}))
      (if (i32.eq (i32.load (i32.const 1032)) (i32.const 3)) (then ${forever("(call $block (local.get $a))")}))
      (call $block (call $subscribe_duration (i64.const 20000000))) ${answer(200, 2)}`;
    const own = await openWasiWorld({ pool: { maxProcesses: 1 } });
    try {
      const contentHash = await own.add(await handwritten({ text: "ok", code }));
      await own.call(contentHash, "/");
      const limits = { fuel: 10 ** 12, timeMs: 3_000 };
      const spinning = ["/a", "/bb"].map((path) => own.call(contentHash, path, { limits }));
      const startedAt = performance.now();
      for (let round = 0; round < 5; round++) expect((await own.call(contentHash, "/")).text).toBe("ok");
      expect(performance.now() - startedAt).toBeLessThan(2_500);
      for (const { result } of await Promise.all(spinning)) expect(result.outcome).toEqual(failed("ext.timeout", "time"));
    } finally {
      await own.close();
    }
  });
});
