/**
 * Rows of the room: a message with everything that stands above it, a message on its way, and renewals of the key.
 *
 * Invariant: a row is drawn again only when its own message changed; what belongs to the place before a message (day, new mark, renewals) is part of
 * its row, so that rows keep their keys whatever comes above them.
 */
import type { EpochChange } from "@althing/client";
import { Clock, KeyRound } from "lucide-react";
import { memo, type ReactNode } from "react";
import { clockTime, dayOf, fullTime } from "../app/times.ts";
import { Badge, Button, classNames, Person, Refusal } from "../ui/index.ts";
import { MessageBody, MessageText } from "./message-body.tsx";
import type { Outgoing } from "./send-queue.ts";
import { useRoomTexts } from "./texts.ts";
import type { Entry, Row } from "./timeline.ts";

/** What all rows of a room share; the same object for as long as nothing in it changes. */
export interface RowWorld {
  readonly nameOf: (endpoint: string) => string | undefined;
  /** Is it a message of somebody else that the reader may remove? Own ones may always be. */
  readonly mayModerate: boolean;
  readonly canSend: boolean;
  readonly onRemove: (entry: Entry) => void;
  readonly onRetry: (id: string) => void;
  readonly onDiscard: (id: string) => void;
}

/** @param isCurrent its controls are reached by Tab */
export const RoomRow = memo(function RoomRow({
  row,
  world,
  isCurrent,
}: {
  readonly row: Row;
  readonly world: RowWorld;
  readonly isCurrent: boolean;
}) {
  const t = useRoomTexts();
  return (
    <div className={classNames("px-3 sm:px-4", row.isFollowing ? "pt-0.5" : "pt-3")}>
      {row.day !== undefined && (
        <p className="flex items-center gap-3 py-2 text-sm font-semibold text-soft before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
          <time dateTime={row.day}>{dayOf(row.day)}</time>
        </p>
      )}
      {row.changes.map((change) => (
        <ChangeLine key={change.epoch} change={change} nameOf={world.nameOf} />
      ))}
      {row.isUnread && (
        <p className="flex items-center gap-3 py-2 text-sm font-bold text-accent before:h-px before:flex-1 before:bg-accent after:h-px after:flex-1 after:bg-accent">
          {t("room.unreadMark")}
        </p>
      )}
      {row.kind === "entry" && <EntryRow entry={row.entry} isFollowing={row.isFollowing} world={world} isCurrent={isCurrent} />}
      {row.kind === "outgoing" && <OutgoingRow outgoing={row.outgoing} isFollowing={row.isFollowing} world={world} />}
    </div>
  );
});

/** Icons that stand in every row: one shape each, because a screenful of rows is made anew at every frame of a fast scroll. */
const shapes = {
  check: "M20 6 9 17l-5-5",
  bin: "M3 6h18M8 6V4a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v2M19 6v14a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V6M10 11v6M14 11v6",
} as const;

function RowIcon({ shape }: { readonly shape: keyof typeof shapes }) {
  return (
    <svg aria-hidden="true" viewBox="0 0 24 24" className="size-4 fill-none stroke-current stroke-2">
      <path d={shapes[shape]} />
    </svg>
  );
}

function ChangeLine({ change, nameOf }: { readonly change: EpochChange; readonly nameOf: RowWorld["nameOf"] }) {
  return (
    <p className="flex items-start justify-center gap-2 py-1 text-center text-sm text-soft">
      <KeyRound aria-hidden="true" className="mt-0.5 size-4 shrink-0" />
      <span>
        <ChangeText change={change} nameOf={nameOf} />
      </span>
    </p>
  );
}

function ChangeText({
  change: { reason, maker, added, removed },
  nameOf,
}: {
  readonly change: EpochChange;
  readonly nameOf: RowWorld["nameOf"];
}) {
  const t = useRoomTexts();
  const who = nameOf(maker) ?? added.find(({ endpoint }) => endpoint === maker)?.handle ?? t("message.stranger");
  const names = (reason === "invite" || reason === "join" ? added : removed).map(({ handle }) => handle).join(", ");
  if (reason === "rekey") return <bdi>{names === "" ? t("change.rekey", { who }) : t("change.rekeyGone", { who, names })}</bdi>;
  return <bdi>{t(`change.${reason}`, { who, names })}</bdi>;
}

function Head({
  handle,
  isOwn,
  at,
  children,
}: {
  readonly handle: string | undefined;
  readonly isOwn: boolean;
  readonly at: string;
  readonly children?: ReactNode;
}) {
  const t = useRoomTexts();
  return (
    <p className="flex flex-wrap items-center gap-x-2 pe-12">
      <Person handle={handle} you={isOwn} gone={t("message.stranger")} />
      <time dateTime={at} title={fullTime(at)} className="text-sm text-soft">
        {clockTime(at)}
      </time>
      {children}
    </p>
  );
}

const EntryRow = memo(function EntryRow({
  entry,
  isFollowing,
  world,
  isCurrent,
}: {
  readonly entry: Entry;
  readonly isFollowing: boolean;
  readonly world: RowWorld;
  readonly isCurrent: boolean;
}) {
  const t = useRoomTexts();
  const handle = entry.handle ?? world.nameOf(entry.sender);
  const who = handle ?? t("message.stranger");
  const tabIndex = isCurrent ? 0 : -1;
  const mayRemove = world.canSend && entry.redacted === undefined && (entry.isOwn || world.mayModerate);
  return (
    <div className="group relative">
      {!isFollowing && (
        <Head handle={handle} isOwn={entry.isOwn} at={entry.at}>
          {handle?.startsWith("ext:") === true && <Badge tone="note">{t("message.extension")}</Badge>}
        </Head>
      )}
      <div className="ps-7.5 pe-10">
        <MessageBody entry={entry} tabIndex={tabIndex} nameOf={world.nameOf} />
        {!entry.authenticated && (
          <span className="text-sm text-note" title={t("message.unsignedHint")}>
            {t("message.unsigned")}
          </span>
        )}
      </div>
      {entry.isOwn && entry.redacted === undefined && (
        <span role="img" aria-label={t("message.sent")} title={t("message.sent")} className="absolute end-0 bottom-1 text-soft">
          <RowIcon shape="check" />
        </span>
      )}
      {mayRemove && (
        <button
          type="button"
          tabIndex={tabIndex}
          aria-label={t("message.remove", { who })}
          className="absolute end-4 top-0 grid size-11 -translate-y-2 place-items-center rounded-lg text-soft hover:text-bad focus-visible:opacity-100 pointer-fine:opacity-0 pointer-fine:group-hover:opacity-100"
          onClick={() => world.onRemove(entry)}
        >
          <RowIcon shape="bin" />
        </button>
      )}
    </div>
  );
});

const OutgoingRow = memo(function OutgoingRow({
  outgoing: { message, state, error },
  isFollowing,
  world,
}: {
  readonly outgoing: Outgoing;
  readonly isFollowing: boolean;
  readonly world: RowWorld;
}) {
  const t = useRoomTexts();
  const isStuck = state === "unconfirmed" || state === "refused";
  return (
    <div className="grid gap-1">
      {!isFollowing && <Head handle={t("message.you")} isOwn={false} at={message.at} />}
      <div className="ps-7.5 text-soft">
        <MessageText text={message.text} />
      </div>
      <p className={classNames("flex items-center gap-1.5 ps-7.5 text-sm", isStuck ? "font-semibold text-bad" : "text-soft")}>
        {state === "sent" ? <RowIcon shape="check" /> : <Clock aria-hidden="true" className="size-4" />}
        {t(`message.${state}`)}
      </p>
      {isStuck && (
        <div className="grid gap-2 ps-7.5">
          {state === "refused" && <Refusal error={error} />}
          <div className="flex flex-wrap gap-2">
            <Button tone="quiet" onClick={() => world.onRetry(message.id)}>
              {t("message.retry")}
            </Button>
            <Button tone="plain" onClick={() => world.onDiscard(message.id)}>
              {t("message.discard")}
            </Button>
          </div>
        </div>
      )}
    </div>
  );
});
