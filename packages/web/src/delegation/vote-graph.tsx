/**
 * The picture of who votes for whom.
 *
 * Invariant: one stop for Tab, arrow keys go from person to person, Enter and a click choose somebody or open a group; whoever is chosen is described in
 * words below. Colours come from the page's own, so both schemes hold.
 */
import { useId, useRef, useState, type KeyboardEvent } from "react";
import { Button, Facts, Person } from "../ui/index.ts";
import { useDelegationTexts } from "./texts.ts";
import { layoutTrees, neighbourOf, radiusOf, type Direction, type Layout, type Placed } from "./tree-layout.ts";
import type { DelegationsHere } from "./use-delegations.ts";
import { giversOf, type VoteTree } from "./vote-flow.ts";

const columnWidth = 130;
const rowHeight = 78;
const margin = 48;
const nameShownChars = 16;

interface Spot {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

function spotOf(placed: Placed): Spot {
  return {
    x: margin + placed.column * columnWidth,
    y: margin + placed.row * rowHeight,
    radius: placed.kind === "person" ? radiusOf(placed.weight) + 5 : 20,
  };
}

const directions: Readonly<Record<string, Direction>> = { ArrowLeft: "taker", ArrowRight: "giver", ArrowUp: "up", ArrowDown: "down" };

export interface VoteGraphProps {
  readonly here: DelegationsHere;
  readonly trees: readonly VoteTree[];
  /** Absent: the reader may give their vote to nobody. */
  readonly onGive: ((handle: string) => void) | undefined;
}

export function VoteGraph({ here, trees, onGive }: VoteGraphProps) {
  const t = useDelegationTexts();
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<string | undefined>();
  const layout = layoutTrees(trees, open, here.reader);
  const fold = (person: string, isOpen: boolean) =>
    setOpen(new Set(isOpen ? [...open, person] : [...open].filter((one) => one !== person)));
  return (
    <div className="grid gap-4">
      <Drawing here={here} layout={layout} chosen={chosen} onChoose={setChosen} onOpen={(person) => fold(person, true)} />
      <div aria-live="polite" className="min-h-11">
        {chosen === undefined ? (
          <p className="text-sm text-soft">{t("graph.hint")}</p>
        ) : (
          <Chosen here={here} person={chosen} onGive={onGive} onFold={open.has(chosen) ? () => fold(chosen, false) : undefined} />
        )}
      </div>
    </div>
  );
}

interface DrawingProps {
  readonly here: DelegationsHere;
  readonly layout: Layout;
  readonly chosen: string | undefined;
  readonly onChoose: (person: string) => void;
  readonly onOpen: (person: string) => void;
}

function Drawing(props: DrawingProps) {
  const t = useDelegationTexts();
  const { here, layout, onOpen } = props;
  const svg = useRef<SVGSVGElement>(null);
  const arrow = useId();
  const [at, setAt] = useState(layout.placed.find(({ column }) => column === 0)?.key ?? "");
  const stop = layout.placed.some(({ key }) => key === at) ? at : (layout.placed.find(({ column }) => column === 0)?.key ?? "");
  const go = (key: string) => {
    setAt(key);
    svg.current?.querySelector<SVGGElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
  };
  const move = (event: KeyboardEvent) => {
    const direction = directions[event.key];
    if (direction === undefined) return;
    event.preventDefault();
    go(neighbourOf(layout, stop, direction));
  };
  // The group is gone then, and with it the place of the focus.
  const open = (person: string) => {
    go(person);
    onOpen(person);
  };
  const width = margin * 2 + Math.max(1, layout.columns - 1) * columnWidth;
  const height = margin * 2 + Math.max(0, layout.rows - 1) * rowHeight;
  const spots = new Map(layout.placed.map((placed) => [placed.key, spotOf(placed)]));
  return (
    <div
      role="region"
      aria-label={t("graph.area")}
      dir="ltr"
      className="max-h-[70vh] overflow-auto rounded-lg border border-line bg-ground"
    >
      <svg
        ref={svg}
        role="group"
        aria-label={t("graph.label")}
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        onKeyDown={move}
        className="mx-auto block"
      >
        <defs>
          <marker id={arrow} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
            <path d="M0 0 L8 4 L0 8 Z" className="fill-edge" />
          </marker>
        </defs>
        {layout.placed.map(({ key, to }) =>
          to === undefined ? null : <Edge key={key} from={spots.get(key)} to={spots.get(to)} arrow={arrow} />,
        )}
        <Returning here={here} layout={layout} spots={spots} arrow={arrow} />
        {layout.placed.map((placed) => (
          <Node key={placed.key} {...props} onOpen={open} placed={placed} isStop={placed.key === stop} onFocus={() => setAt(placed.key)} />
        ))}
      </svg>
    </div>
  );
}

interface EdgeProps {
  readonly from: Spot | undefined;
  readonly to: Spot | undefined;
  readonly arrow: string;
}

function Edge({ from, to, arrow }: EdgeProps) {
  if (from === undefined || to === undefined) return null;
  const [startX, endX] = [from.x - from.radius, to.x + to.radius + 3];
  const middle = (startX + endX) / 2;
  return (
    <path
      aria-hidden="true"
      d={`M${startX} ${from.y} C${middle} ${from.y} ${middle} ${to.y} ${endX} ${to.y}`}
      markerEnd={`url(#${arrow})`}
      className="fill-none stroke-edge stroke-[1.5]"
    />
  );
}

/** In a circle, the way back from who stands at its head. */
function Returning({
  here: { flow },
  layout,
  spots,
  arrow,
}: {
  readonly here: DelegationsHere;
  readonly layout: Layout;
  readonly spots: ReadonlyMap<string, Spot>;
  readonly arrow: string;
}) {
  const heads = layout.placed.filter(({ kind, column, key }) => kind === "person" && column === 0 && flow.has(key));
  return heads.map(({ key }) => {
    const from = spots.get(key);
    const to = spots.get(flow.get(key)?.to ?? "");
    if (from === undefined || to === undefined) return null;
    const bend = Math.min(from.y, to.y) - 44;
    return (
      <path
        key={key}
        aria-hidden="true"
        d={`M${from.x} ${from.y - from.radius} C${from.x} ${bend} ${to.x} ${bend} ${to.x} ${to.y - to.radius - 3}`}
        strokeDasharray="5 4"
        markerEnd={`url(#${arrow})`}
        className="fill-none stroke-note stroke-[1.5]"
      />
    );
  });
}

function useLabel(here: DelegationsHere): (placed: Placed) => string {
  const t = useDelegationTexts();
  return (placed) => {
    if (placed.kind === "group") return t("graph.group", { count: placed.people.length, handle: here.nameOf(placed.of) });
    const { person, weight } = placed;
    const to = here.flow.get(person)?.to;
    const facts = { handle: here.nameOf(person), count: weight };
    return to === undefined ? t("graph.person", facts) : t("graph.personTo", { ...facts, to: here.nameOf(to) });
  };
}

function Node({
  here,
  placed,
  chosen,
  isStop,
  onChoose,
  onOpen,
  onFocus,
}: DrawingProps & { readonly placed: Placed; readonly isStop: boolean; readonly onFocus: () => void }) {
  const labelOf = useLabel(here);
  const { x, y, radius } = spotOf(placed);
  const isChosen = placed.kind === "person" && placed.person === chosen;
  const isDark = isChosen || (placed.kind === "person" && placed.person === here.reader);
  const act = () => (placed.kind === "group" ? onOpen(placed.of) : onChoose(placed.person));
  const press = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
  };
  return (
    <g>
      <g
        role="button"
        tabIndex={isStop ? 0 : -1}
        data-key={placed.key}
        aria-label={labelOf(placed)}
        {...(placed.kind === "person" ? { "aria-pressed": isChosen } : {})}
        onClick={act}
        onKeyDown={press}
        onFocus={onFocus}
        className="group cursor-pointer outline-none"
      >
        <circle cx={x} cy={y} r={30} className="fill-transparent stroke-transparent stroke-3 group-focus-visible:stroke-accent" />
        {placed.kind === "group" ? (
          <rect x={x - radius} y={y - 15} width={radius * 2} height={30} rx={8} className="fill-raised stroke-edge" />
        ) : (
          <circle cx={x} cy={y} r={radius} className={isDark ? "fill-accent stroke-accent" : "fill-accent-tint stroke-accent"} />
        )}
      </g>
      <Words placed={placed} isDark={isDark} name={placed.kind === "person" ? shortened(here.nameOf(placed.person)) : ""} />
    </g>
  );
}

/** What is written in the picture; the button beneath says it in full. */
function Words({ placed, isDark, name }: { readonly placed: Placed; readonly isDark: boolean; readonly name: string }) {
  const { x, y, radius } = spotOf(placed);
  return (
    <g aria-hidden="true" className="pointer-events-none text-xs" textAnchor="middle">
      <text x={x} y={y} dominantBaseline="central" className={isDark ? "fill-on-accent font-bold" : "fill-ink font-bold"}>
        {placed.kind === "group" ? `+${placed.people.length}` : placed.weight}
      </text>
      <text x={x} y={y + radius + 14} className="fill-ink">
        {name}
      </text>
    </g>
  );
}

function shortened(name: string): string {
  return name.length <= nameShownChars ? name : `${name.slice(0, nameShownChars - 1)}…`;
}

function Chosen({
  here,
  person,
  onGive,
  onFold,
}: {
  readonly here: DelegationsHere;
  readonly person: string;
  readonly onGive: VoteGraphProps["onGive"];
  readonly onFold: (() => void) | undefined;
}) {
  const t = useDelegationTexts();
  const { nameOf, flow, reader } = here;
  const to = flow.get(person)?.to;
  const givers = giversOf(flow).get(person) ?? [];
  const handle = nameOf(person);
  return (
    <div className="grid gap-3 rounded-lg bg-raised p-3">
      <Person handle={handle} you={person === reader} />
      <Facts
        facts={[
          to === undefined
            ? [t("graph.goesTo"), t("graph.goesNobody")]
            : [t("graph.goesTo"), <Person key="to" handle={nameOf(to)} you={to === reader} />],
          givers.length === 0 ? undefined : [t("graph.from"), <bdi key="from">{givers.map(nameOf).toSorted().join(", ")}</bdi>],
        ]}
      />
      <div className="flex flex-wrap gap-2 empty:hidden">
        {onGive !== undefined && person !== reader && (
          <Button tone="quiet" onClick={() => onGive(handle)}>
            {t("graph.giveTo", { handle })}
          </Button>
        )}
        {onFold !== undefined && (
          <Button tone="plain" onClick={onFold}>
            {t("graph.fold", { handle })}
          </Button>
        )}
      </div>
    </div>
  );
}
