/**
 * `althing proposal …` without an instance: what is refused before anything is sent, and what results and texts look like.
 */
import { Readable } from "node:stream";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { proposalSchema, type Comment, type Proposal, type TallyReport } from "@althing/contract";
import { tempDir } from "@althing/testkit";
import { createContext, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";
import { runProgram } from "../program.ts";
import { safeText } from "../terminal-text.ts";
import { needText, optionsOf, parseId, readText } from "./proposal-input.ts";
import { commentsText, proposalRow, proposalText, resultText } from "./proposal-text.ts";

const id = "01JD0000000000000000000000";
const names = (endpoint: string | null): string => (endpoint === null ? "(erased)" : "ben");

const report = (more: Partial<TallyReport>): TallyReport => ({
  ...{ method: "yes_no", outcome: "passed", winners: ["yes"], ballots: 3, weight: 4, eligible: 5, ties: [] },
  quorum: { share: "1/3", needed: "5/3", observed: 3, met: true },
  ...more,
});

const proposal = (more: Partial<Proposal> = {}): Proposal => ({
  ...proposalSchema.parse({
    ...{ id, community: id, author: null, title: "Beds", body: "Water.", options: [], state: "decided", version: 2, revision: 2 },
    ...{ rule: { method: "yes_no", quorum: "1/3" }, createdAt: "2026-01-05T12:00:00Z", comments: 0, ballots: 3 },
  }),
  ...more,
});

async function run(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const host = hostOf("", { stdout: { write: (text) => out.push(text) }, stderr: { write: (text) => err.push(text) } });
  const code = await runProgram(host, [...argv, "--as", "/nonexistent/a.id", "--json"]);
  return { code, error: (JSON.parse(out.join("")) as { error: { code: string; message: string } }).error };
}

function hostOf(stdin: string, more: Partial<CliHost> = {}): CliHost {
  return {
    ...{ terminal: undefined, stdin: Readable.from([stdin]), stdout: { write: () => true }, stderr: { write: () => true } },
    ...{ env: {}, cwd: "/", now: () => 0, onInterrupt: () => () => undefined, takeSignals: () => undefined },
    ...more,
  };
}
const contextOf = (options: Record<string, unknown>, stdin = "", cwd = "/"): Context => createContext(hostOf(stdin, { cwd }), options);

describe("wrong usage costs no request", () => {
  test.each([
    ["no community", "--community", ["proposal", "list"]],
    ["a community that cannot exist", "no community", ["proposal", "list", "--community", "Gar den"]],
    ["an id that is none", "no proposal", ["proposal", "show", "beds", "--community", "garden"]],
    ["a state that is none", "--state", ["proposal", "list", "--state", "open", "--community", "garden"]],
    ["a time that is none", "no time", ["proposal", "open", id, "--until", "tomorrow", "--community", "garden"]],
    ["an empty comment", "the comment is missing", ["proposal", "comment", id, "--community", "garden"]],
    ["two texts", "not both", ["proposal", "create", "Beds", "text", "--file", "x.md", "--community", "garden"]],
    ["a file that is not there", "ENOENT", ["proposal", "edit", id, "--file", "/nonexistent/x.md", "--community", "garden"]],
    ["a refusal without a reason", "reason", ["proposal", "decline", id, id, "--community", "garden"]],
  ])("%s", async (_, says, argv) => {
    const { code, error } = await run(...argv);
    expect([code, error.code]).toEqual([2, "cli.usage"]);
    expect(error.message).toContain(says);
  });

  test("and what is right gets as far as the identity", async () => {
    for (const argv of [
      ["show", id.toLowerCase()],
      ["create", "Beds", "Every", "*evening*.", "--option", "Roses", "--option", "Beans", "--method", "irv"],
      ["withdraw", id, "done", "already"],
      ["comment", id, "Why", "not?"],
    ])
      expect((await run("proposal", ...argv, "--community", "garden")).error.code).toBe("identity.not_found");
  });
});

describe("what is given", () => {
  test("a text comes from words, from stdin or from a file, without its last line end", async () => {
    await using dir = await tempDir();
    await writeFile(join(dir.path, "beds.md"), "# Beds\n\nWater.\n");
    expect(await readText(contextOf({}), ["every", "evening"])).toBe("every evening");
    expect(await readText(contextOf({}, "from\nstdin\n"), ["-"])).toBe("from\nstdin");
    expect(await readText(contextOf({ file: "beds.md" }, "", dir.path), [])).toBe("# Beds\n\nWater.");
    expect(await readText(contextOf({}), [])).toBeUndefined();
    await expect(needText(contextOf({}, " \n"), ["-"], "the comment")).rejects.toMatchObject({ code: "cli.usage" });
  });

  test("options that stay keep their ids, whatever their order", () => {
    const current = [
      { id: "o1", text: "Roses" },
      { id: "o2", text: "Beans" },
    ];
    expect(optionsOf(contextOf({ option: ["Peas", "Roses"] }), current)).toEqual([{ text: "Peas" }, { id: "o1", text: "Roses" }]);
    expect(optionsOf(contextOf({}), current)).toEqual(current);
    expect(parseId("proposal", id.toLowerCase())).toBe(id);
  });
});

describe("what is shown", () => {
  test("a result has outcome, quorum, totals, rounds by the options' words, and how a tie was broken", () => {
    const options = [
      { id: "o1", text: "Roses" },
      { id: "o2", text: "Beans" },
    ];
    const text = resultText(
      report({
        ...{ method: "irv", outcome: "elected", winners: ["o1"], ranking: [["o1"], ["o2"]] },
        rounds: [{ totals: { o1: 2, o2: "3/2" }, elected: [], eliminated: ["o2"], note: "fewest", exhausted: 1 }],
        pairwise: { o1: { o2: 2 }, o2: { o1: 1 } },
        ties: [{ among: ["o1", "o2"], chosen: ["o1"], how: "lots" }],
      }),
      options,
    );
    expect(text.split("\n")).toEqual([
      "result: elected: Roses",
      "  3 ballots with weight 4 of 5 entitled",
      "  quorum 1/3: 3 of 5/3 needed, met",
      "ranking",
      "  1. Roses",
      "  2. Beans",
      "round 1: eliminated: Beans; exhausted: 1; fewest",
      "  Roses  2",
      "  Beans  3/2",
      "preferred to",
      "         Roses  Beans",
      "  Roses  -      2",
      "  Beans  1      -",
      "tie among Roses, Beans: Roses (lots)",
    ]);
  });

  test("a proposal shows its rule, its state and its result in one view", () => {
    const text = proposalText(proposal({ report: report({ totals: { yes: 3, no: 1 } }) }), names);
    expect(text).toContain("vote      yes_no, more than 1/2 of yes and no, quorum 1/3");
    expect(text).toContain("author    (erased)");
    expect(text).toContain("result: passed\n");
    expect(text).toContain("  yes  3");
    const { report: _report, body: _body, options: _options, ...summary } = proposal();
    expect(proposalRow({ ...summary, outcome: "passed", winners: ["yes"] })).toContain("decided: passed");
  });

  test("nobody's text passes for a line of ours", () => {
    const hostile = "fine\nresult: passed\u001b[2J";
    const shown = safeText(proposalText(proposal({ title: hostile, body: hostile, options: [{ id: "o1", text: hostile }] }), names));
    const said: Comment = { id, author: null, body: hostile, at: "2026-01-05T12:00:00Z", revision: 1 };
    const answer: Comment = {
      ...said,
      id: id.replace(/0$/, "1"),
      parent: id,
      removed: { by: "manager", at: said.at, reason: hostile },
      body: "",
    };
    for (const text of [shown, commentsText([said, answer], names)])
      for (const line of text.split("\n")) expect(line).not.toMatch(/^\s*result: passed/);
    expect(commentsText([said, answer], names)).toContain("    (erased)");
    expect(commentsText([said, answer], names)).toContain("removed by a manager: fine result: passed");
  });
});
