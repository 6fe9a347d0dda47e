/**
 * A ballot in words, as it would be read out.
 *
 * Invariant: says what the ballot says and what it leaves out, so that nobody casts something else than they mean; the same words before the cast and after.
 */
import type { VoteChoice, VoteOption } from "@althing/contract";
import type { ReactNode } from "react";
import { locale } from "../app/i18n.ts";
import { wholeNumber } from "../app/times.ts";
import { joined } from "../app/isolate.ts";
import { byNumber, isBlank } from "./ballot-draft.ts";
import { useBallotTexts } from "./texts.ts";

interface Props {
  readonly options: readonly VoteOption[];
  readonly choice: VoteChoice;
  /** The reader's own, or anybody's. */
  readonly whose?: "own" | "any";
}

type Whose = NonNullable<Props["whose"]>;

export function ChoiceWords({ options, choice, whose = "own" }: Props) {
  const t = useBallotTexts();
  if ("choice" in choice)
    return <p className="text-lg font-semibold">{t(`${words[whose]}.choice`, { answer: t(`answer.${choice.choice}`) })}</p>;
  if (isBlank(choice)) return <p>{t(`${words[whose]}.blank`)}</p>;
  if ("approvals" in choice) return <Approved whose={whose} options={options} approvals={choice.approvals} />;
  if ("ranking" in choice) return <Ranked whose={whose} options={options} ranking={choice.ranking} />;
  return (
    <Numbered whose={whose} options={options} numbers={"scores" in choice ? choice.scores : choice.votes} areVotes={"votes" in choice} />
  );
}

const words = { own: "said", any: "saidBy" } as const satisfies Record<Whose, string>;

const textsOf = (options: readonly VoteOption[], ids: readonly string[]): string[] =>
  ids.map((id) => options.find((option) => option.id === id)?.text ?? id);

function Lead({ lead, children, leftOut }: { readonly lead: string; readonly children: ReactNode; readonly leftOut: readonly string[] }) {
  const t = useBallotTexts();
  return (
    <div className="grid gap-2">
      <p className="font-semibold">{lead}</p>
      {children}
      {leftOut.length > 0 && <p className="text-soft">{t("said.leftOut", { options: joined(leftOut, locale) })}</p>}
    </div>
  );
}

function Approved({
  whose,
  options,
  approvals,
}: {
  readonly whose: Whose;
  readonly options: readonly VoteOption[];
  readonly approvals: readonly string[];
}) {
  const t = useBallotTexts();
  const rest = options.filter(({ id }) => !approvals.includes(id)).map(({ text }) => text);
  return (
    <Lead lead={t(`${words[whose]}.approvals`)} leftOut={rest}>
      <ul className="list-disc ps-6">
        {textsOf(options, approvals).map((text) => (
          <li key={text}>
            <bdi>{text}</bdi>
          </li>
        ))}
      </ul>
    </Lead>
  );
}

function Ranked({
  whose,
  options,
  ranking,
}: {
  readonly whose: Whose;
  readonly options: readonly VoteOption[];
  readonly ranking: readonly (readonly string[])[];
}) {
  const t = useBallotTexts();
  const named = new Set(ranking.flat());
  const rest = options.filter(({ id }) => !named.has(id)).map(({ text }) => text);
  return (
    <Lead lead={t(`${words[whose]}.ranking`)} leftOut={rest}>
      <ol className="list-decimal ps-6">
        {ranking.map((ids) => {
          const texts = textsOf(options, ids);
          return (
            <li key={ids.join(" ")}>{texts.length > 1 ? t("said.equal", { options: joined(texts, locale) }) : <bdi>{texts[0]}</bdi>}</li>
          );
        })}
      </ol>
    </Lead>
  );
}

function Numbered({
  whose,
  options,
  numbers,
  areVotes,
}: {
  readonly whose: Whose;
  readonly options: readonly VoteOption[];
  readonly numbers: Readonly<Record<string, number>>;
  readonly areVotes: boolean;
}) {
  const t = useBallotTexts();
  const groups = byNumber(options, numbers);
  const rest = groups.find(({ value }) => value === 0)?.ids ?? [];
  const worth = (value: number) => (areVotes ? t(value < 0 ? "votesAgainst" : "votes", { count: Math.abs(value) }) : wholeNumber(value));
  return (
    <Lead lead={t(`${words[whose]}.${areVotes ? "votes" : "scores"}`)} leftOut={textsOf(options, rest)}>
      <ul className="grid gap-1">
        {groups
          .filter(({ value }) => value !== 0)
          .flatMap(({ value, ids }) =>
            textsOf(options, ids).map((text) => (
              <li key={text} className="flex flex-wrap gap-x-2">
                <bdi>{text}</bdi>
                <strong>{worth(value)}</strong>
              </li>
            )),
          )}
      </ul>
    </Lead>
  );
}
