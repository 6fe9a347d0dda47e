/** What a proposal says and how it is decided, for reading. */
import type { Proposal } from "@althing/contract";
import { timeZone } from "../app/times.ts";
import { Facts, LinkedText, Section, Time } from "../ui/index.ts";
import { PersonOf } from "./person-of.tsx";
import { RuleWords } from "./rule-words.tsx";
import { useProposalTexts } from "./texts.ts";

/** Words that somebody wrote: shown as they are, their writing direction their own. */
export function GivenText({ text, className = "" }: { readonly text: string; readonly className?: string }) {
  return (
    <p dir="auto" className={`max-w-prose whitespace-pre-wrap ${className}`}>
      <LinkedText text={text} />
    </p>
  );
}

export function ProposalText({ proposal }: { readonly proposal: Proposal }) {
  const t = useProposalTexts();
  const { body, options } = proposal;
  return (
    <Section title={t("text")}>
      <div className="grid gap-4">
        {body === "" ? <p className="text-soft">{t("noText")}</p> : <GivenText text={body} />}
        {options.length > 0 && (
          <div className="grid gap-2">
            <h3 className="font-semibold">{t("options")}</h3>
            <ul className="grid gap-1.5">
              {options.map(({ id, text }) => (
                <li key={id} className="rounded-lg bg-raised px-3 py-2">
                  <bdi>{text}</bdi>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Section>
  );
}

export function ProposalFacts({ proposal }: { readonly proposal: Proposal }) {
  const t = useProposalTexts();
  const { author, rule, topic, state, closesAt, votingOpenedAt, closedAt, ballots } = proposal;
  const at = (time: string) => (
    <>
      <Time at={time} form="full" /> <span className="text-soft">({t("zone", { zone: timeZone() })})</span>
    </>
  );
  const isVote = votingOpenedAt !== undefined;
  return (
    <Section title={t("facts")}>
      <Facts
        facts={[
          [t("author"), <PersonOf key="author" endpoint={author} />],
          [t("method"), t(`methodName.${rule.method}`)],
          [t("rule"), <RuleWords key="rule" rule={rule} />],
          [t("secrecy"), rule.secret ? t("secretVote") : t("openVote")],
          rule.trustee === undefined ? undefined : [t("trustee"), <PersonOf key="trustee" endpoint={rule.trustee} />],
          [t("eligible"), t("eligibleText")],
          topic === undefined ? undefined : [t("topic"), <bdi key="topic">{topic}</bdi>],
          isVote ? [t("opened"), at(votingOpenedAt)] : undefined,
          state === "voting" && closesAt !== undefined ? [t("closes"), at(closesAt)] : undefined,
          closedAt === undefined ? undefined : [t("closed"), at(closedAt)],
          isVote ? [t("participation"), t("ballots", { count: ballots })] : undefined,
        ]}
      />
    </Section>
  );
}
