import { jobSchema, type Job } from "@althing/contract";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { CliHost } from "../host.ts";
import { runProgram } from "../program.ts";
import { jobText } from "./package-jobs.ts";

const slot = "2026-05-04T00:00:00.000Z";
const blocked = { rule: "backgroundJobs", text: "the product's default", who: "An admin of the instance" };
const job = (more: object = {}): Job =>
  jobSchema.parse({ name: "digest", schedule: "weekly", granted: true, missed: 0, blockedSlots: 0, history: [], ...more });

test("a job that waits says when it runs next", () => {
  expect(jobText(job({ next: slot }))).toBe(`digest  weekly\n  next ${slot}`);
});

test("a job that does not run says why and who can change that, and what became of its slots", () => {
  const run = { number: 3, kind: "scheduled", slot, startedAt: slot };
  const text = jobText(
    job({
      schedule: { cron: "0 9 * * 1", timeZone: "Europe/Berlin" },
      ...{ blocked, missed: 2, blockedSlots: 1, postponedUntil: slot },
      history: [
        { ...run, status: "blocked", blocked },
        { ...run, number: 2, kind: "manual", status: "ok", note: "7 sent\u001b[31m", fuel: 1_200_000, durationMs: 12.4 },
      ],
    }),
  );
  for (const part of ["0 9 * * 1 (Europe/Berlin)", "does not run (backgroundJobs)", "2 missed, 1 not allowed", "An admin of the instance"])
    expect(text).toContain(part);
  expect(text).toMatch(/ok {2,}by hand {2,}12 ms, 1\.2 M fuel {2,}7 sent/);
  expect(text).not.toContain("\u001b");
});

test.each([
  [["package", "jobs", "org.example.hello"], "identity"],
  [["package", "jobs", "list", "org.example.hello"], "identity"],
  [["package", "jobs", "run", "org.example.hello", "digest"], "identity"],
  [["package", "jobs", "run", "org.example.hello"], "usage"],
])("%j is understood", async (argv, expected) => {
  const err: string[] = [];
  const host: CliHost = {
    ...{ terminal: undefined, stdin: Readable.from([]), stdout: { write: () => true }, env: {}, cwd: "/nonexistent", now: () => 0 },
    stderr: { write: (text) => err.push(text) },
    onInterrupt: () => () => undefined,
    takeSignals: () => undefined,
  };
  const code = await runProgram(host, [...argv, "--community", "garden", "--as", "nobody.id"]);
  expect({ code, isAboutIdentity: err.join("").includes("identity.not_found") }).toEqual(
    expected === "identity" ? { code: 1, isAboutIdentity: true } : { code: 2, isAboutIdentity: false },
  );
});
