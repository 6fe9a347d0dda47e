/**
 * The module `welcome`: rules that whoever joins accepts, and questions that they answer.
 *
 * Invariant: rules are accepted in a version named by the digest of their text, so that nobody accepts what they were not shown; a community whose module
 * is off asks nothing.
 */
import { AppError, hasCode, type CommunityId, type ModuleSettings } from "@althing/contract";
import { createHash } from "node:crypto";
import type { Modules } from "../modules/modules.ts";

export interface Welcome {
  readonly rules: string;
  /** sha256 of the rules, hexadecimal; empty without rules. */
  readonly rulesVersion: string;
  readonly questions: ModuleSettings<"welcome">["questions"];
}

export interface Reply {
  readonly rulesVersion?: string | undefined;
  readonly answers: Readonly<Record<string, string>>;
}

export async function readWelcome(modules: Modules, community: CommunityId): Promise<Welcome> {
  try {
    const { rules, questions } = await modules.settings(community, "welcome");
    return { rules, questions, rulesVersion: rules === "" ? "" : createHash("sha256").update(rules).digest("hex") };
  } catch (error) {
    if (!hasCode(error, "module.disabled")) throw error;
    return { rules: "", rulesVersion: "", questions: [] };
  }
}

/** @throws {welcome.rules_not_accepted} */
export function checkAccepted({ rulesVersion }: Welcome, reply: Reply): void {
  if (rulesVersion !== (reply.rulesVersion ?? "")) throw new AppError("welcome.rules_not_accepted", { version: rulesVersion });
}

/** @throws {welcome.answers_invalid} with every fault */
export function checkAnswers({ questions }: Welcome, { answers }: Reply): void {
  const unanswered = questions.filter(
    ({ id, required }) => required && (Object.hasOwn(answers, id) ? (answers[id] ?? "") : "").trim() === "",
  );
  const unasked = Object.keys(answers).filter((id) => !questions.some((question) => question.id === id));
  const faults = [
    ...unanswered.map(({ id }) => ({ path: `answers.${id}`, message: "is required" })),
    ...unasked.map((id) => ({ path: `answers.${id}`, message: "is no question" })),
  ];
  const detail = faults.map(({ path, message }) => `${path} ${message}`).join("; ");
  if (faults.length > 0) throw new AppError("welcome.answers_invalid", { detail }, { faults });
}
