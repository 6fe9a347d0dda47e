/**
 * A rule in plain sentences.
 *
 * Invariant: says everything that the count looks at for this method and nothing else, so that nobody has to know what a setting is called.
 */
import type { VotingRule } from "@althing/contract";
import { locale } from "../app/i18n.ts";
import { isNone, shareText } from "./shares.ts";
import { useProposalTexts } from "./texts.ts";

type Texts = ReturnType<typeof useProposalTexts>;

function thresholdWords(t: Texts, { share, of, reached }: VotingRule["threshold"]): string {
  return t(reached ? "decides.atLeast" : "decides.moreThan", { share: shareText(share, locale), of: t(`decides.of.${of}`) });
}

function quorumWords(t: Texts, { quorum, quorumCounts, method }: VotingRule): string {
  if (isNone(quorum)) return t("decides.noQuorum");
  const share = shareText(quorum, locale);
  const missing =
    method === "yes_no" && quorumCounts !== undefined
      ? (["yes", "no", "abstain", "block"] as const).filter((answer) => !quorumCounts.includes(answer))
      : [];
  if (missing.length === 0) return t("decides.quorum", { share });
  return t("decides.quorumSome", { share, answers: new Intl.ListFormat(locale).format(missing.map((answer) => t(`answer.${answer}`))) });
}

/** What decides, a sentence each. */
export function ruleSentences(t: Texts, rule: VotingRule): string[] {
  const quorum = quorumWords(t, rule);
  if (rule.method !== "yes_no") return [t("decides.seats", { count: rule.seats }), quorum];
  const threshold = thresholdWords(t, rule.threshold);
  const passes =
    rule.alsoThreshold === undefined
      ? t("decides.yes_no", { threshold })
      : t("decides.yes_noAlso", { threshold, also: thresholdWords(t, rule.alsoThreshold) });
  return [passes, t(`decides.block.${rule.block}`), quorum];
}

export function RuleWords({ rule }: { readonly rule: VotingRule }) {
  const t = useProposalTexts();
  return (
    <ul className="grid gap-1">
      {ruleSentences(t, rule).map((sentence) => (
        <li key={sentence}>{sentence}</li>
      ))}
    </ul>
  );
}
