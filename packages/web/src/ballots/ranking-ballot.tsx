/**
 * A ranking, best first: by buttons, or by dragging.
 *
 * Invariant: every change can be made with buttons alone and is read out; the button that was pressed keeps the focus.
 */
import type { VoteOption } from "@althing/contract";
import { Equal, Plus, SeparatorHorizontal } from "lucide-react";
import { useRef, useState } from "react";
import { isolated } from "../app/isolate.ts";
import { classNames } from "../ui/index.ts";
import { DragHandle, iconButton, MoveButtons } from "./move-buttons.tsx";
import { placed, ranked, rankOf, stepped, tiedAbove, unranked, type Ranking } from "./rank-order.ts";
import { useBallotTexts } from "./texts.ts";
import { useDragOrder } from "./use-drag-order.ts";
import { useKeptFocus } from "./use-kept-focus.ts";

interface Props {
  readonly options: readonly VoteOption[];
  readonly ranking: Ranking;
  /** May several have one rank? */
  readonly mayTie: boolean;
  readonly onChange: (ranking: Ranking) => void;
}

/** What stands on one line of the list. */
interface Line {
  readonly option: VoteOption;
  /** From 0. */
  readonly rank: number;
  readonly isShared: boolean;
}

function linesOf(options: readonly VoteOption[], ranking: Ranking): Line[] {
  const byId = new Map(options.map((option) => [option.id, option]));
  return ranking.flatMap((ids, rank) =>
    ids.flatMap((id) => {
      const option = byId.get(id);
      return option === undefined ? [] : [{ option, rank, isShared: ids.length > 1 }];
    }),
  );
}

export function RankingBallot({ options, ranking, mayTie, onChange }: Props) {
  const t = useBallotTexts();
  const [told, setTold] = useState("");
  const lines = linesOf(options, ranking);
  const drag = useDragOrder((from, to) => {
    const line = lines[from];
    const target = lines[to];
    if (line !== undefined && target !== undefined) change(placed(ranking, line.option.id, target.rank), line.option);
  });
  const box = useRef<HTMLDivElement>(null);
  const keep = useKeptFocus(box);
  const change = (next: Ranking, { id, text }: VoteOption, button?: string) => {
    if (button !== undefined) keep(`${id} ${button}`);
    onChange(next);
    const place = rankOf(next, id);
    setTold(
      place === -1
        ? t("nowOut", { option: isolated(text) })
        : t("movedTo", { option: isolated(text), place: place + 1, count: next.length }),
    );
  };
  const rest = options.filter(({ id }) => rankOf(ranking, id) === -1);
  const rank = (option: VoteOption, at: number) => {
    const next = rest[at + 1] ?? rest[at - 1];
    change(ranked(ranking, option.id), option);
    // Its button is gone: on to the next one that is not ranked.
    keep(next === undefined ? `${option.id} up` : `${next.id} rank`);
  };
  return (
    <div ref={box} className="grid gap-4">
      <p role="status" className="sr-only">
        {told}
      </p>
      <div className="grid gap-2">
        <h3 className="font-semibold">{t("ranking")}</h3>
        {lines.length === 0 ? (
          <p className="rounded-lg border border-dashed border-edge p-3 text-soft">{t("rankingEmpty")}</p>
        ) : (
          <p className="text-sm text-soft">{t("drag")}</p>
        )}
        <ol ref={drag.listRef} aria-label={t("ranking")} className="grid gap-2">
          {lines.map((line, index) => (
            <RankLine
              key={line.option.id}
              line={line}
              index={index}
              drag={drag}
              mayTie={mayTie}
              ranks={ranking.length}
              onChange={(make, button) => change(make(ranking, line.option.id), line.option, button)}
            />
          ))}
        </ol>
      </div>
      {rest.length > 0 && <Unranked options={rest} onRank={rank} />}
    </div>
  );
}

interface LineProps {
  readonly line: Line;
  readonly index: number;
  readonly drag: ReturnType<typeof useDragOrder>;
  readonly mayTie: boolean;
  readonly ranks: number;
  readonly onChange: (make: (ranking: Ranking, id: string) => Ranking, button?: string) => void;
}

function RankLine({ line: { option, rank, isShared }, index, drag, mayTie, ranks, onChange }: LineProps) {
  const t = useBallotTexts();
  const name = { option: isolated(option.text) };
  const isOver = drag.over === index && drag.from !== index;
  return (
    <li
      value={rank + 1}
      className={classNames(
        "flex flex-wrap items-center gap-2 rounded-lg border bg-card p-2 sm:flex-nowrap",
        isOver ? "border-accent bg-accent-tint" : "border-edge",
        drag.from === index && "opacity-60",
      )}
    >
      <DragHandle drag={drag} index={index} />
      <span className="grid size-8 shrink-0 place-items-center rounded-full bg-accent-tint font-bold text-accent">
        <span className="sr-only">{t("placeOf", { place: rank + 1 })}</span>
        <span aria-hidden="true">{rank + 1}</span>
      </span>
      <bdi className="min-w-0 grow basis-40">{option.text}</bdi>
      <MoveButtons
        labels={{ up: t("up", name), down: t("down", name), drop: t("drop", name) }}
        isFirst={rank === 0 && !isShared}
        isLast={rank === ranks - 1 && !isShared}
        entry={option.id}
        onStep={(by) => onChange((ranking, id) => stepped(ranking, id, by), by === -1 ? "up" : "down")}
        onDrop={() => onChange(unranked, "rank")}
      >
        {mayTie && isShared && (
          <button
            type="button"
            data-move={`${option.id} tie`}
            aria-label={t("untie", name)}
            className={iconButton}
            onClick={() => onChange((ranking, id) => stepped(ranking, id, 1), "tie")}
          >
            <SeparatorHorizontal aria-hidden="true" className="size-5" />
          </button>
        )}
        {mayTie && !isShared && rank > 0 && (
          <button
            type="button"
            data-move={`${option.id} tie`}
            aria-label={t("tie", name)}
            className={iconButton}
            onClick={() => onChange(tiedAbove, "tie")}
          >
            <Equal aria-hidden="true" className="size-5" />
          </button>
        )}
      </MoveButtons>
    </li>
  );
}

function Unranked({
  options,
  onRank,
}: {
  readonly options: readonly VoteOption[];
  readonly onRank: (option: VoteOption, at: number) => void;
}) {
  const t = useBallotTexts();
  return (
    <div className="grid gap-2">
      <h3 className="font-semibold">{t("notRanked")}</h3>
      <ul className="grid gap-2">
        {options.map((option, at) => (
          <li key={option.id}>
            <button
              type="button"
              aria-label={t("rankIt", { option: isolated(option.text) })}
              className="flex min-h-12 w-full items-center gap-3 rounded-lg border border-dashed border-edge bg-raised px-3 py-2 text-start hover:border-accent"
              data-move={`${option.id} rank`}
              onClick={() => onRank(option, at)}
            >
              <Plus aria-hidden="true" className="size-5 shrink-0 text-accent" />
              <bdi className="min-w-0">{option.text}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
