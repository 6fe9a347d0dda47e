/** The reader's own vote: what it counts, from whom it has more, where it goes, and what can be taken back. */
import type { Delegation } from "@althing/contract";
import { messageOf, useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Badge, Button, Person, Refusal, Section, Skeleton, Time, useToast } from "../ui/index.ts";
import { useDelegationTexts } from "./texts.ts";
import type { DelegationsHere } from "./use-delegations.ts";
import { chainOf, giversOf, weightsOf } from "./vote-flow.ts";

const giversShownMax = 20;

export function MyVote({ here }: { readonly here: DelegationsHere }) {
  const t = useDelegationTexts();
  const { can } = useCommunity();
  const { ref, topic, given } = here;
  const weight = useRead("delegations.weight", { params: { community: ref }, query: topic === undefined ? {} : { topic } });
  return (
    <Section title={t("mine.title")}>
      <div className="grid gap-4">
        {weight.error !== null && <Refusal error={weight.error} onRetry={() => void weight.refetch()} />}
        {weight.isPending && <Skeleton rows={1} />}
        {weight.data !== undefined && (
          <div className="flex items-center gap-4">
            <span
              aria-hidden="true"
              className="grid size-16 shrink-0 place-items-center rounded-full bg-accent-tint text-2xl font-bold text-accent tabular-nums"
            >
              {weight.data.weight}
            </span>
            <p className="text-lg">{weight.data.weight === 0 ? t("mine.weightNone") : t("mine.weight", { count: weight.data.weight })}</p>
          </div>
        )}
        <FromWhom here={here} />
        <Chain here={here} />
        {given.length > 0 && (
          <div>
            <h3 className="mb-1 font-semibold">{t("mine.given")}</h3>
            <ul className="grid gap-2">
              {given.map((one) => (
                <li key={one.topic ?? ""}>
                  <Given here={here} delegation={one} />
                </li>
              ))}
            </ul>
          </div>
        )}
        {!can("delegations.manage") && <p className="text-sm text-soft">{t("mine.notYours")}</p>}
      </div>
    </Section>
  );
}

function FromWhom({ here: { flow, reader, nameOf } }: { readonly here: DelegationsHere }) {
  const t = useDelegationTexts();
  const weights = weightsOf(flow);
  const weightOf = (person: string) => weights.get(person) ?? 1;
  const givers = (giversOf(flow).get(reader) ?? []).toSorted((a, b) => weightOf(b) - weightOf(a) || (nameOf(a) < nameOf(b) ? -1 : 1));
  if (givers.length === 0) return null;
  return (
    <div>
      <h3 className="mb-2 font-semibold">{t("mine.from")}</h3>
      <ul className="flex flex-wrap gap-x-4 gap-y-2">
        {givers.slice(0, giversShownMax).map((from) => (
          <li key={from} className="flex items-center gap-2">
            <Person handle={nameOf(from)} />
            {weightOf(from) > 1 && <Badge>{t("list.votes", { count: weightOf(from) })}</Badge>}
          </li>
        ))}
        {givers.length > giversShownMax && <li className="text-soft">{t("mine.fromMore", { count: givers.length - giversShownMax })}</li>}
      </ul>
    </div>
  );
}

/** "Your vote goes to bob. bob gave it on to carol. carol votes for you, unless …" */
function Chain({ here: { flow, reader, nameOf, given } }: { readonly here: DelegationsHere }) {
  const t = useDelegationTexts();
  const { people, returnsTo } = chainOf(flow, reader);
  const [, first] = people;
  if (first === undefined) return given.length === 0 ? <p>{t("mine.none")}</p> : null;
  const last = people.at(-1) ?? first;
  const steps = people.slice(1, -1).map((from, at) => t("chain.next", { from: nameOf(from), to: nameOf(people[at + 2] ?? from) }));
  const end =
    returnsTo === undefined
      ? t(people.length === 2 ? "chain.lastDirect" : "chain.last", { last: nameOf(last) })
      : `${t("chain.circle", { from: nameOf(last), to: returnsTo === reader ? t("you") : nameOf(returnsTo) })} ${t("chain.circleWhy")}`;
  return (
    <div>
      <h3 className="mb-2 font-semibold">{t("chain.title")}</h3>
      <ol aria-hidden="true" className="mb-2 flex flex-wrap items-center gap-2">
        {people.map((person, at) => (
          <li key={person} className="flex items-center gap-2">
            {at > 0 && <span className="text-soft rtl:rotate-180">→</span>}
            <Person handle={nameOf(person)} you={person === reader} />
          </li>
        ))}
      </ol>
      <p>{[t("chain.first", { to: nameOf(first) }), ...steps, end].join(" ")}</p>
    </div>
  );
}

function Given({ here, delegation }: { readonly here: DelegationsHere; readonly delegation: Delegation }) {
  const t = useDelegationTexts();
  const toast = useToast();
  const { can } = useCommunity();
  const { ref, nameOf, doesHold } = here;
  const { to, topic, givenAt } = delegation;
  const named = topic === undefined ? {} : { topic };
  const params = { community: ref };
  const again = useAct((client) => client.call("delegations.give", { params, body: { to, ...named } }), {
    changes: ["delegations.", "votes."],
  });
  // The row is gone by then: a refusal has no other place.
  const undo = () => void again.mutateAsync().catch((error: unknown) => toast({ text: t("mine.undoRefused", { why: messageOf(error) }) }));
  const revoke = useAct((client) => client.call("delegations.revoke", { params, query: named }), {
    changes: ["delegations.", "votes."],
    onDone: () => toast({ text: t("mine.revoked"), undo }),
  });
  const isIdle = !doesHold(delegation);
  return (
    <div className="grid gap-2 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Badge tone="accent">
          <bdi className="max-w-60 truncate">{topic ?? t("everything")}</bdi>
        </Badge>
        <Person handle={nameOf(to)} />
        <span className="text-sm text-soft">
          {t("mine.since")} <Time at={givenAt} form="short" />
        </span>
        {isIdle && <Badge tone="note">{t("mine.idle")}</Badge>}
        {can("delegations.manage") && (
          <Button
            tone="quiet"
            className="ms-auto"
            aria-label={t("mine.revokeOne", { topic: topic ?? t("everything"), handle: nameOf(to) })}
            busy={revoke.isPending}
            onClick={() => revoke.mutate()}
          >
            {t("mine.revoke")}
          </Button>
        )}
      </div>
      {isIdle && <p className="text-sm text-soft">{t("mine.idleWhy")}</p>}
      {revoke.error !== null && <Refusal error={revoke.error} />}
    </div>
  );
}
