/**
 * A ballot as it is typed: words by the method of the vote.
 *
 * Invariant: options are named by their ids or by their texts, exactly; what names nothing is wrong usage and lists what there is. Whether the choice fits the
 * rule is not decided here.
 */
import { voteAnswers, type VoteChoice, type VoteOption, type VotingRule } from "@althing/contract";
import { usageError } from "../context.ts";
import { safeLine } from "../terminal-text.ts";

type Options = readonly VoteOption[];

/** @throws {cli.usage} */
export function parseChoice({ method }: Pick<VotingRule, "method">, options: Options, words: readonly string[]): VoteChoice {
  switch (method) {
    case "yes_no":
      return { choice: answerOf(words) };
    case "approval":
      return { approvals: words.map((word) => idOf(options, word)) };
    case "score":
    case "star":
      return { scores: numbersOf(options, words) };
    case "quadratic":
      return { votes: numbersOf(options, words) };
    case "irv":
    case "schulze":
    case "stv":
      return { ranking: words.map((word) => equalOf(options, word)) };
  }
}

function answerOf(words: readonly string[]) {
  const [word, ...more] = words;
  const answer = voteAnswers.find((one) => one === word);
  if (answer === undefined || more.length > 0) throw usageError(`answer with one of ${voteAnswers.join(", ")}`);
  return answer;
}

function find(options: Options, word: string): string | undefined {
  return options.find(({ id, text }) => id === word || text === word)?.id;
}

function idOf(options: Options, word: string): string {
  const id = find(options, word);
  if (id !== undefined) return id;
  throw usageError(
    `there is no option "${word}"; options are ${options.map(({ id: known, text }) => `${known} (${safeLine(text)})`).join(", ")}`,
  );
}

/** `roses=5`; a text may hold the sign, too. */
function numbersOf(options: Options, words: readonly string[]): Record<string, number> {
  const numbers = new Map<string, number>();
  for (const word of words) {
    const at = word.lastIndexOf("=");
    const value = word.slice(at + 1);
    if (at < 1 || !/^-?\d{1,5}$/.test(value)) throw usageError(`write option=number, not "${word}"`);
    const id = idOf(options, word.slice(0, at));
    if (numbers.has(id)) throw usageError(`"${id}" is named twice`);
    numbers.set(id, Number(value));
  }
  return Object.fromEntries(numbers);
}

/** One rank: an option, or several that are equal, `roses=beans`. */
function equalOf(options: Options, word: string): string[] {
  return find(options, word) === undefined && word.includes("=")
    ? word.split("=").map((part) => idOf(options, part))
    : [idOf(options, word)];
}

/** As it is typed. */
export function choiceText(choice: VoteChoice): string {
  if ("choice" in choice) return choice.choice;
  if ("approvals" in choice) return choice.approvals.length === 0 ? "(none)" : choice.approvals.join(" ");
  if ("ranking" in choice) return choice.ranking.length === 0 ? "(none)" : choice.ranking.map((rank) => rank.join("=")).join(" ");
  const numbers = Object.entries("scores" in choice ? choice.scores : choice.votes);
  return numbers.length === 0 ? "(none)" : numbers.map(([id, value]) => `${id}=${value}`).join(" ");
}
