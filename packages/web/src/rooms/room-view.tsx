/**
 * A room one is in: its messages, where one writes, and beside it who is in it and how it is set.
 *
 * Invariant: warnings and what stops sending stand above the messages, and nothing puts them away. The room fills the screen, so that the place where
 * one writes is in sight on a phone, too.
 */
import { isAppError, type Room } from "@althing/contract";
import { useQuery } from "@tanstack/react-query";
import { Info, Users } from "lucide-react";
import { useLayoutEffect, useMemo, useRef, useState, type RefObject } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { wholeNumber } from "../app/times.ts";
import { Button, ConfirmDialog, Dialog, EmptyState, PageHeader, Refusal, Skeleton, TextField, Time } from "../ui/index.ts";
import { AboutPanel } from "./about-panel.tsx";
import { Composer } from "./composer.tsx";
import { MembersPanel } from "./members-panel.tsx";
import type { RowWorld } from "./message-row.tsx";
import { PolicyBadges } from "./policy-facts.tsx";
import { HomeLink } from "./room-home.tsx";
import { RoomLog } from "./room-log.tsx";
import type { RoomSnapshot, RoomStore } from "./room-store.ts";
import { useRoomTexts } from "./texts.ts";
import type { Entry } from "./timeline.ts";
import { useIsWide, useRoomSnapshot, useRoomStores } from "./use-room.ts";
import { WarningList } from "./warning-list.tsx";

export function RoomView({ room }: { readonly room: Room }) {
  const t = useRoomTexts();
  const stores = useRoomStores();
  const store = stores.of(room.id);
  const snapshot = useRoomSnapshot(store);
  const [removing, setRemoving] = useState<Entry>();
  const [panel, setPanel] = useState<"members" | "about">();
  const place = useRef<HTMLDivElement>(null);
  useFullHeight(place);
  const world = useRowWorld(room, store, snapshot, setRemoving);
  const toggle = (next: "members" | "about") => setPanel(panel === next ? undefined : next);
  const canWrite = snapshot.status !== "ended" && snapshot.status !== "refused" && room.mutedUntil === undefined;
  return (
    <div ref={place} className="flex min-h-112 flex-col gap-3">
      <PageHeader
        title={room.name}
        above={<HomeLink text={t("room.rooms")} />}
        actions={
          <>
            <Button tone="quiet" aria-expanded={panel === "members"} onClick={() => toggle("members")}>
              <Users aria-hidden="true" className="size-5" />
              <span className="max-sm:sr-only">{t("room.members", { count: room.members })}</span>
              <span aria-hidden="true" className="sm:hidden">
                {wholeNumber(room.members)}
              </span>
            </Button>
            <Button tone="quiet" aria-expanded={panel === "about"} onClick={() => toggle("about")}>
              <Info aria-hidden="true" className="size-5" />
              <span className="max-sm:sr-only">{t("room.about")}</span>
            </Button>
          </>
        }
      />
      <div className="flex flex-wrap gap-2 max-sm:hidden">
        <PolicyBadges policy={room.policy} />
      </div>
      <WarningList warnings={snapshot.warnings} />
      <RoomState room={room} snapshot={snapshot} onReopen={store.reopen} />
      <div className="flex min-h-0 flex-1 gap-4">
        <div className="flex min-w-0 flex-1 flex-col gap-3">
          {snapshot.status !== "open" && snapshot.rows.length === 0 ? (
            (snapshot.status === "opening" || snapshot.status === "waiting") && <Skeleton rows={4} />
          ) : (
            <RoomLog
              store={store}
              snapshot={snapshot}
              world={world}
              name={room.name}
              empty={<EmptyRoom room={room} snapshot={snapshot} />}
            />
          )}
          {canWrite && <Composer store={store} kept={stores.kept} name={room.name} placeId={room.id} />}
        </div>
        {panel !== undefined && <Panel panel={panel} room={room} snapshot={snapshot} onClose={() => setPanel(undefined)} />}
      </div>
      {removing !== undefined && <RemoveDialog entry={removing} snapshot={snapshot} onClose={() => setRemoving(undefined)} />}
    </div>
  );
}

/** The same object until something in it changes: rows are compared by it. */
function useRowWorld(room: Room, store: RoomStore, { handle, status }: RoomSnapshot, onRemove: (entry: Entry) => void): RowWorld {
  const { user } = useSession();
  const members = useQuery({
    queryKey: ["rooms.members", room.id, "verified"],
    queryFn: async () => (await handle?.members()) ?? [],
    enabled: handle !== undefined && status === "open",
  }).data;
  return useMemo(() => {
    const names = new Map<string, string>((members ?? []).map(({ endpoint, handle: name }) => [endpoint, name]));
    names.set(user.endpoint, user.handle);
    return {
      nameOf: (endpoint) => names.get(endpoint),
      mayModerate: room.role !== "member",
      canSend: status === "open",
      onRemove,
      onRetry: store.retry,
      onDiscard: store.discard,
    };
  }, [members, user.endpoint, user.handle, room.role, status, onRemove, store]);
}

function EmptyRoom({ room, snapshot }: { readonly room: Room; readonly snapshot: RoomSnapshot }) {
  const t = useRoomTexts();
  if (snapshot.status !== "open" || snapshot.older === "loading") return null;
  return (
    <div className="p-4">
      <EmptyState title={t("room.empty")}>{room.policy.persist ? t("room.emptyText") : t("room.emptyPassing")}</EmptyState>
    </div>
  );
}

/** Whether the room works, and if not, why. */
function RoomState({ room, snapshot, onReopen }: { readonly room: Room; readonly snapshot: RoomSnapshot; readonly onReopen: () => void }) {
  const t = useRoomTexts();
  const { status, error, ended, isConnected, outgoing } = snapshot;
  const waiting = outgoing.filter(({ state }) => state === "waiting").length;
  if (status === "refused") return <Refusal title={t(isUnsafe(error) ? "room.unsafe" : "room.refused")} error={error} onRetry={onReopen} />;
  const isLost = status === "open" && !isConnected;
  const text =
    status === "ended"
      ? t(ended === undefined ? "room.ended" : `room.${ended}`)
      : status === "waiting"
        ? t("room.waiting")
        : status === "opening"
          ? t("room.opening")
          : isLost
            ? `${t("room.lost")} ${waiting > 0 ? t("room.waitingCount", { count: waiting }) : ""}`
            : "";
  const isLoud = status !== "opening" && text !== "";
  return (
    <>
      <p role="status" data-notice={isLost ? "room" : undefined} className={isLoud ? "rounded-lg bg-note-tint p-3 text-note" : "sr-only"}>
        {text}
      </p>
      {room.mutedUntil !== undefined && <Muted until={room.mutedUntil} />}
    </>
  );
}

/** Whatever the client library does not believe. */
const isUnsafe = (error: unknown) => isAppError(error) && /^(?:epoch|pin)\./.test(error.code);

function Muted({ until }: { readonly until: string }) {
  const t = useRoomTexts();
  const [before, after] = t("room.muted", { until: "\u0000" }).split("\u0000");
  return (
    <p className="rounded-lg bg-note-tint p-3 text-note">
      {before}
      <Time at={until} form="short" />
      {after}
    </p>
  );
}

function Panel({
  panel,
  room,
  snapshot,
  onClose,
}: {
  readonly panel: "members" | "about";
  readonly room: Room;
  readonly snapshot: RoomSnapshot;
  readonly onClose: () => void;
}) {
  const t = useRoomTexts();
  const isWide = useIsWide();
  const title = t(panel === "members" ? "room.membersTitle" : "room.aboutTitle");
  const content = panel === "members" ? <MembersPanel room={room} snapshot={snapshot} /> : <AboutPanel room={room} snapshot={snapshot} />;
  if (!isWide)
    return (
      <Dialog title={title} onClose={onClose}>
        {content}
      </Dialog>
    );
  return (
    <aside aria-label={title} className="w-80 shrink-0 overflow-y-auto rounded-card border border-line bg-card p-4" tabIndex={0}>
      {content}
    </aside>
  );
}

function RemoveDialog({
  entry,
  snapshot: { handle },
  onClose,
}: {
  readonly entry: Entry;
  readonly snapshot: RoomSnapshot;
  readonly onClose: () => void;
}) {
  const t = useRoomTexts();
  const [reason, setReason] = useState("");
  const remove = useAct(async () => handle?.redact(entry.id, reason.trim()), { changes: [], onDone: onClose });
  return (
    <ConfirmDialog
      title={t("message.removeTitle")}
      action={t("message.removeAction")}
      danger
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t("message.removeText")}</p>
      <TextField
        label={t("message.removeReason")}
        optional
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
    </ConfirmDialog>
  );
}

/** From where it begins to the end of the screen, and never less than can be used. */
function useFullHeight(place: RefObject<HTMLDivElement | null>): void {
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const fit = () => {
      const top = element.getBoundingClientRect().top + window.scrollY;
      element.style.height = `calc(100dvh - ${Math.round(top)}px - 1.5rem)`;
    };
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [place]);
}
