/** The disposable child: whatever it does, the parent gets a refusal with a rule in time, and no process is left. */
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { isAppError } from "@althing/contract";
import { afterEach, describe, expect, it } from "vitest";
import { createPreparationChildren, type PreparationChildren } from "../../src/preparation/child-process.ts";

let children: PreparationChildren | undefined;

afterEach(async () => {
  await children?.close();
  children = undefined;
});

const programPath = (name: string): string => fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url));

/** Processes that run `program`, where the system tells. */
function processesOf(program: string): number {
  let count = 0;
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(program)) count++;
    } catch {
      // Gone in the meantime.
    }
  }
  return count;
}

async function outcome(
  name: string,
  limits = { deadlineMs: 20_000, memoryBytes: 400 * 1024 * 1024 },
  request: object = {},
): Promise<Record<string, unknown>> {
  const program = programPath(name);
  children = createPreparationChildren({ limits, program });
  try {
    await children.run(request);
    return { rule: "answered" };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return error.params;
  } finally {
    await children.close();
    expect(processesOf(program)).toBe(0);
  }
}

describe("a child", () => {
  it("that hangs is ended at the deadline", async () => {
    const begin = performance.now();
    expect((await outcome("hang", { deadlineMs: 500, memoryBytes: 400 * 1024 * 1024 }))["rule"]).toBe("limit.time");
    expect(performance.now() - begin).toBeLessThan(3_000);
  });

  it("whose heap overflows is refused for memory", async () => {
    expect((await outcome("heap", { deadlineMs: 60_000, memoryBytes: 200 * 1024 * 1024 }))["rule"]).toBe("limit.memory");
  });

  it("that takes memory outside of the heap is ended", async () => {
    expect((await outcome("resident"))["rule"]).toBe("limit.memory");
  });

  for (const name of ["crash", "exit", "rubbish", "escape"]) {
    it(`is refused as crashed: ${name}`, async () => {
      expect((await outcome(name))["rule"]).toBe("preparation.crashed");
    });
  }

  it("that announces too much is ended before it is read", async () => {
    expect((await outcome("giant"))["rule"]).toBe("limit.output-bytes");
  });

  it("reaches nothing: no files, no environment, no processes, no workers, no code from text, no network", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    expect(await outcome("reach", undefined, { port })).toEqual({ rule: "reached", detail: "nothing" });
    expect(connections).toBe(0);
    server.close();
  });
});

describe("close", () => {
  it("ends a running preparation and its child", async () => {
    const program = programPath("hang");
    children = createPreparationChildren({ limits: { deadlineMs: 60_000, memoryBytes: 400 * 1024 * 1024 }, program });
    const refused = expect(children.run({})).rejects.toThrow("preparation.crashed");
    await children.close();
    await refused;
    expect(processesOf(program)).toBe(0);
    await expect(children.run({})).rejects.toThrow("closing");
  });
});
