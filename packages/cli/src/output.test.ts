import { AppError } from "@althing/contract";
import { describe, expect, test } from "vitest";
import { createOutput, table } from "./output.ts";

function capture(json: boolean, quiet = false) {
  const [out, err]: [string[], string[]] = [[], []];
  const output = createOutput({ stdout: { write: (text) => out.push(text) }, stderr: { write: (text) => err.push(text) }, json, quiet });
  return { output, stdout: () => out.join(""), stderr: () => err.join("") };
}

describe("output", () => {
  test("with --json stdout holds exactly one JSON value, prose goes to stderr", () => {
    const { output, stdout, stderr } = capture(true);
    output.prose("working");
    output.line("tick");
    output.result({ a: 1 }, "text");
    expect(JSON.parse(stdout())).toEqual({ a: 1 });
    expect(stderr()).toBe("working\n");
  });

  test("a stream with --json is one array, valid after zero, one and many elements", () => {
    for (const count of [0, 1, 3]) {
      const { output, stdout } = capture(true);
      const stream = output.stream();
      for (let n = 0; n < count; n += 1) stream.item({ n }, "");
      stream.end();
      stream.item({ n: 99 }, "");
      expect(JSON.parse(stdout())).toHaveLength(count);
    }
  });

  test("a failure in the middle of a stream still leaves one JSON value on stdout", () => {
    const { output, stdout, stderr } = capture(true);
    output.stream().item({ n: 1 }, "");
    output.failure(new AppError("room.not_found", { room: "garden" }));
    expect(JSON.parse(stdout())).toEqual([{ n: 1 }]);
    expect(stderr()).toContain("[room.not_found]");
  });

  test("a failure with --json is one value with code, message and fix", () => {
    const { output, stdout } = capture(true);
    output.failure(new AppError("room.not_found", { room: "garden" }));
    expect(JSON.parse(stdout())).toMatchObject({
      error: { code: "room.not_found", message: expect.stringContaining("garden"), fix: expect.any(String), retry: false },
    });
  });

  test("a failure as text names message, code, faults, fix and request id", () => {
    const { output, stdout, stderr } = capture(false);
    const error = Object.assign(
      new AppError("request.invalid", { detail: "1 fault" }, { faults: [{ path: "body.handle", message: "too long" }] }),
      { requestId: "req-1" },
    );
    output.failure(error);
    expect(stdout()).toBe("");
    expect(stderr()).toContain("[request.invalid]");
    expect(stderr()).toContain("body.handle: too long");
    expect(stderr()).toContain("openapi.json");
    expect(stderr()).toContain("request req-1");
  });

  test("an error's parameters from a server cannot act on the terminal", () => {
    const { output, stderr } = capture(false);
    output.failure(new AppError("room.not_found", { room: "\u001b]0;owned\u0007garden\u202e" }));
    expect(stderr()).toContain("no room garden,");
  });

  test("--quiet silences prose and not warnings", () => {
    const { output, stderr } = capture(false, true);
    output.prose("working");
    output.warn("look");
    expect(stderr()).toBe("look\n");
  });

  test("columns line up", () =>
    expect(
      table([
        ["a", "bb"],
        ["ccc", "d"],
      ]),
    ).toBe("a    bb\nccc  d"));
});
