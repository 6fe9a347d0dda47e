/** Who votes for whom in words: everything the picture says, for eyes and ears. */
import { Badge, Person } from "../ui/index.ts";
import { useDelegationTexts } from "./texts.ts";
import { singlesShownMax } from "./tree-layout.ts";
import type { DelegationsHere } from "./use-delegations.ts";
import type { VoteTree } from "./vote-flow.ts";

export function VoteList({ here, trees }: { readonly here: DelegationsHere; readonly trees: readonly VoteTree[] }) {
  return (
    <ul className="grid gap-4">
      {trees.map((tree) => (
        <Branch key={tree.person} here={here} tree={tree} isHead />
      ))}
    </ul>
  );
}

function Branch({ here, tree, isHead = false }: { readonly here: DelegationsHere; readonly tree: VoteTree; readonly isHead?: boolean }) {
  const t = useDelegationTexts();
  const { nameOf, reader, flow } = here;
  const { person, weight, givers } = tree;
  const singles = givers.filter((giver) => giver.givers.length === 0);
  const isFolded = singles.length > singlesShownMax;
  const drawn = isFolded ? givers.filter((giver) => giver.givers.length > 0) : givers;
  return (
    <li className="min-w-0">
      <span className="flex flex-wrap items-center gap-2">
        <Person handle={nameOf(person)} you={person === reader} />
        {weight > 1 && <Badge tone={isHead ? "accent" : "plain"}>{t("list.votes", { count: weight })}</Badge>}
        {isHead && flow.has(person) && <Badge tone="note">{t("list.circle")}</Badge>}
      </span>
      {givers.length > 0 && (
        <ul className="ms-3 mt-2 grid gap-2 border-s-2 border-line ps-3">
          {drawn.map((giver) => (
            <Branch key={giver.person} here={here} tree={giver} />
          ))}
          {isFolded && (
            <li>
              <span className="text-soft">{t("list.singles", { count: singles.length })}</span>{" "}
              {singles.map(({ person: one }) => (
                <bdi key={one} className="me-2 inline-block font-semibold">
                  {nameOf(one)}
                </bdi>
              ))}
            </li>
          )}
        </ul>
      )}
    </li>
  );
}
