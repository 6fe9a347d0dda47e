/**
 * What differs between two texts with their rules. Loaded only where it is looked at.
 *
 * Invariant: added and removed are told by a sign, a line under or through the words, and by words for screen readers; colour only repeats it.
 */
import type { VotingRule } from "@althing/contract";
import { classNames } from "../ui/index.ts";
import { isolated } from "../app/isolate.ts";
import { ruleSentences } from "./rule-words.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import { optionChanges, textDiff, type OptionChange, type OptionText } from "./text-diff.ts";
import { useProposalTexts } from "./texts.ts";

export interface Comparable {
  readonly title: string;
  readonly body: string;
  readonly options: readonly OptionText[];
  readonly topic?: string | undefined;
  /** Amendments have none. */
  readonly rule?: VotingRule;
}

export function VersionDiff({ before, after }: { readonly before: Comparable; readonly after: Comparable }) {
  const t = useTalkTexts();
  const words = useProposalTexts();
  const ruleText = ({ rule }: Comparable) =>
    rule === undefined
      ? ""
      : [
          words(`methodName.${rule.method}`),
          ...ruleSentences(words, rule),
          words(rule.secret ? "secretVote" : "openVote"),
          rule.trustee ?? "",
        ]
          .join("\n")
          .trim();
  const rules = [before, after].every(({ rule }) => rule !== undefined);
  const hasTopic = before.topic !== undefined || after.topic !== undefined;
  const hasOptions = before.options.length > 0 || after.options.length > 0;
  return (
    <div className="grid gap-4">
      <p className="text-sm text-soft">{t("legend")}</p>
      <Difference title={t("differenceTitle")} before={before.title} after={after.title} />
      <Difference title={t("differenceBody")} before={before.body} after={after.body} />
      {hasOptions && <OptionDifference before={before.options} after={after.options} />}
      {hasTopic && <Difference title={t("differenceTopic")} before={before.topic ?? ""} after={after.topic ?? ""} />}
      {rules && <Difference title={t("differenceRule")} before={ruleText(before)} after={ruleText(after)} />}
    </div>
  );
}

function Part({ title, isSame, children }: { readonly title: string; readonly isSame: boolean; readonly children: React.ReactNode }) {
  const t = useTalkTexts();
  return (
    <section className="grid gap-1">
      <h3 className="font-semibold">{title}</h3>
      {isSame ? <p className="text-soft">{t("same")}</p> : children}
    </section>
  );
}

function Difference({ title, before, after }: { readonly title: string; readonly before: string; readonly after: string }) {
  return (
    <Part title={title} isSame={before === after}>
      <p dir="auto" className="max-w-prose rounded-lg border border-line bg-ground p-3 whitespace-pre-wrap">
        {textDiff(before, after).map(({ kind, text }, at) =>
          kind === "same" ? <span key={at}>{text}</span> : <Changed key={at} kind={kind} text={text} />,
        )}
      </p>
    </Part>
  );
}

function Changed({ kind, text }: { readonly kind: "added" | "removed"; readonly text: string }) {
  const t = useTalkTexts();
  const Tag = kind === "added" ? "ins" : "del";
  return (
    <Tag
      className={classNames(
        "rounded px-0.5 decoration-2",
        kind === "added" ? "bg-good-tint text-good underline" : "bg-bad-tint text-bad line-through",
      )}
    >
      <span aria-hidden="true" className="inline-block font-bold no-underline select-none">
        {kind === "added" ? "+" : "−"}
      </span>
      <span className="sr-only"> {t(kind)} </span>
      {text}
    </Tag>
  );
}

function OptionDifference({ before, after }: { readonly before: readonly OptionText[]; readonly after: readonly OptionText[] }) {
  const t = useTalkTexts();
  const changes = optionChanges(before, after);
  return (
    <Part title={t("differenceOptions")} isSame={changes.every(({ kind, isMoved }) => kind === "same" && !isMoved)}>
      <ul className="grid gap-1">
        {changes.map((change, at) => (
          <li key={at} className="flex flex-wrap items-center gap-2">
            <OptionChanged change={change} />
            {change.isMoved && <span className="text-sm text-soft">({t("movedTo")})</span>}
          </li>
        ))}
      </ul>
    </Part>
  );
}

function OptionChanged({ change: { kind, before = "", after = "" } }: { readonly change: OptionChange }) {
  const t = useTalkTexts();
  if (kind === "same") return <bdi>{after}</bdi>;
  if (kind === "changed") return <span>{t("changedTo", { before: isolated(before), after: isolated(after) })}</span>;
  return <Changed kind={kind} text={kind === "added" ? after : before} />;
}
