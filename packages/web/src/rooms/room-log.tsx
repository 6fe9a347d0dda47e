/**
 * The messages of a room, of which only those in sight are in the document.
 *
 * Invariant: what the reader looks at does not move: older messages come above it, new ones below it; at the end the newest stay in sight. With the
 * keyboard one message is current, and its controls are the ones that Tab reaches.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { Button, Refusal } from "../ui/index.ts";
import { RoomRow, type RowWorld } from "./message-row.tsx";
import type { RoomSnapshot, RoomStore } from "./room-store.ts";
import { useRoomTexts } from "./texts.ts";

/** How far from the end still counts as reading along, in pixels. */
const endMarginPx = 60;
const settleMs = 150;
/** So near to the beginning older messages are fetched. */
const olderMarginPx = 800;

export function RoomLog({
  store,
  snapshot,
  world,
  name,
  empty,
}: {
  readonly store: RoomStore;
  readonly snapshot: RoomSnapshot;
  readonly world: RowWorld;
  readonly name: string;
  readonly empty: ReactNode;
}) {
  const t = useRoomTexts();
  const { rows, older, newest } = snapshot;
  const box = useRef<HTMLDivElement>(null);
  const { isAtEnd, stays, setIsAtEnd, look } = useEnd(box, () => virtualizer.cancelScroll());
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (at) => (rows[at]?.isFollowing === true ? 30 : 68),
    getItemKey: (at) => rows[at]?.key ?? at,
    overscan: 5,
    // Scrolling moves what is there already without asking React, which draws when other rows come into sight.
    directDomUpdates: true,
    directDomUpdatesMode: "position",
    paddingStart: 36,
    paddingEnd: 8,
    anchorTo: "end",
    scrollEndThreshold: endMarginPx,
  });
  // Whatever changes its height above what one looks at, what one looks at stays.
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = ({ start }, _, { scrollOffset }) => start < (scrollOffset ?? 0);
  const { current, onKeyDown } = useCurrentRow(box, rows, virtualizer);
  useFirstPlace(rows, virtualizer, () => setIsAtEnd(false));
  // The newest stay in sight of whoever reads along, however many come and however high they turn out to be.
  useStayingAtEnd(box, stays, rows.length, virtualizer);
  useReading(store, isAtEnd);
  useOwnMessagesInSight(snapshot, () => virtualizer.scrollToEnd());

  const onScroll = () => {
    const element = box.current;
    if (element === null) return;
    if (element.scrollTop < olderMarginPx) store.loadOlder();
    look();
  };
  useEffect(look, [look, rows]);
  // A room that is shorter than its place cannot be scrolled: then older messages are fetched without.
  useEffect(() => {
    const element = box.current;
    if (element === null || snapshot.status !== "open" || older !== "idle") return;
    if (element.scrollHeight <= element.clientHeight + olderMarginPx) store.loadOlder();
  }, [store, snapshot.status, older, rows.length]);

  return (
    <div className="relative min-h-0 flex-1">
      {older === "failed" && (
        <div className="absolute inset-x-0 top-0 z-10">
          <Refusal title={t("room.olderFailed")} error={snapshot.olderError} onRetry={store.loadOlder} />
        </div>
      )}
      <div
        ref={box}
        role="log"
        aria-live="off"
        aria-label={t("room.log", { room: name })}
        aria-description={t("room.logHint")}
        tabIndex={0}
        className="absolute inset-0 overflow-x-hidden overflow-y-auto overscroll-contain rounded-card border border-line bg-card [overflow-anchor:none]"
        onScroll={onScroll}
        onKeyDown={onKeyDown}
      >
        {snapshot.count === 0 && snapshot.outgoing.length === 0 && empty}
        <div ref={virtualizer.containerRef} className="relative w-full">
          {rows.length > 0 && <Beginning older={older} />}
          {virtualizer.getVirtualItems().map(({ key, index }) => {
            const row = rows[index];
            return row === undefined ? null : (
              <div
                key={String(key)}
                ref={virtualizer.measureElement}
                data-index={index}
                tabIndex={-1}
                className="absolute start-0 w-full pb-0.5 contain-layout contain-style"
              >
                <RoomRow row={row} world={world} isCurrent={index === current} />
              </div>
            );
          })}
        </div>
      </div>
      {!isAtEnd && rows.length > 0 && (
        <div className="absolute end-4 bottom-3">
          <Button tone="quiet" className="shadow-lg" onClick={() => virtualizer.scrollToEnd()}>
            <ArrowDown aria-hidden="true" className="size-4" />
            {snapshot.unread > 0 ? t("room.newBelow", { count: snapshot.unread }) : t("room.toEnd")}
          </Button>
        </div>
      )}
      <p role="status" className="sr-only">
        {newest === undefined
          ? ""
          : t("room.heard", { who: newest.handle ?? world.nameOf(newest.sender) ?? "?", text: (newest.text ?? "").slice(0, 200) })}
      </p>
    </div>
  );
}

/** What stands above the first message: that older ones come, or that there are none. Its height is the list's padding. */
function Beginning({ older }: { readonly older: RoomSnapshot["older"] }) {
  const t = useRoomTexts();
  return (
    <p className="absolute inset-x-0 top-0 h-9 pt-2 text-center text-sm text-soft">
      {older === "start" ? t("room.beginning") : older === "loading" ? t("room.loadingOlder") : ""}
    </p>
  );
}

type Rows = RoomSnapshot["rows"];
type LogVirtualizer = ReturnType<typeof useVirtualizer<HTMLDivElement, Element>>;

/** Once, when the first messages are there: to the first unread one, else to the end. */
function useFirstPlace(rows: Rows, virtualizer: LogVirtualizer, onUnread: () => void): void {
  const isPlaced = useRef(false);
  useLayoutEffect(() => {
    if (isPlaced.current || rows.length === 0) return;
    isPlaced.current = true;
    const unread = rows.findIndex((row) => row.isUnread);
    if (unread <= 0) return virtualizer.scrollToEnd();
    onUnread();
    virtualizer.scrollToIndex(unread, { align: "start" });
  }, [rows, virtualizer]);
}

/** Is the end in sight? While a new message takes its place it may be out of it for a moment, and that is no answer. */
function useEnd(box: RefObject<HTMLDivElement | null>, onLeave: () => void) {
  const [isAtEnd, setState] = useState(true);
  const stays = useRef(true);
  const before = useRef(0);
  const leave = useRef(onLeave);
  leave.current = onLeave;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const setIsAtEnd = useCallback((next: boolean) => {
    stays.current = next;
    setState(next);
  }, []);
  const look = useCallback(() => {
    const element = box.current;
    if (element === null) return;
    const isThere = () => element.scrollHeight - element.scrollTop - element.clientHeight <= endMarginPx;
    // New messages never move it up: that was the reader.
    const isLeaving = element.scrollTop < before.current - 2;
    before.current = element.scrollTop;
    clearTimeout(timer.current);
    if (isThere()) setIsAtEnd(true);
    else if (isLeaving) {
      leave.current();
      setIsAtEnd(false);
    } else timer.current = setTimeout(() => setIsAtEnd(isThere()), settleMs);
  }, [box, setIsAtEnd]);
  return { isAtEnd, stays, setIsAtEnd, look };
}

/** Rows turn out higher than was thought, and the place for them lower: who was at the end stays there. */
function useStayingAtEnd(
  box: RefObject<HTMLDivElement | null>,
  stays: RefObject<boolean>,
  count: number,
  virtualizer: LogVirtualizer,
): void {
  useLayoutEffect(() => {
    if (stays.current && count > 0) virtualizer.scrollToEnd();
  }, [stays, count, virtualizer]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      if (stays.current) virtualizer.scrollToEnd();
    });
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    return () => observer.disconnect();
  }, [box, stays, virtualizer]);
}

/** What is in sight of somebody who looks is read. */
function useReading(store: RoomStore, isAtEnd: boolean): void {
  useEffect(() => store.enter(), [store]);
  useEffect(() => {
    const tell = () => store.look(isAtEnd && document.visibilityState === "visible");
    tell();
    document.addEventListener("visibilitychange", tell);
    return () => {
      document.removeEventListener("visibilitychange", tell);
      store.look(false);
    };
  }, [store, isAtEnd]);
}

/** Whoever writes wants to see what was written. */
function useOwnMessagesInSight({ outgoing }: RoomSnapshot, toEnd: () => void): void {
  const newest = outgoing.at(-1)?.message.id;
  const scroll = useRef(toEnd);
  scroll.current = toEnd;
  useLayoutEffect(() => {
    if (newest !== undefined) scroll.current();
  }, [newest]);
}

/** Arrow keys go from message to message. The current one is known by its key: older messages that come above it change its place. */
function useCurrentRow(box: RefObject<HTMLDivElement | null>, rows: Rows, virtualizer: LogVirtualizer) {
  const [currentKey, setCurrentKey] = useState<string>();
  const current = currentKey === undefined ? -1 : rows.findIndex(({ key }) => key === currentKey);
  const focus = (index: number) => {
    setCurrentKey(rows[index]?.key);
    virtualizer.scrollToIndex(index, { align: "auto" });
    requestAnimationFrame(() => {
      const row = box.current?.querySelector(`[data-index="${index}"]`);
      if (row instanceof HTMLElement) row.focus({ preventScroll: true });
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (step === 0 || rows.length === 0 || event.target instanceof HTMLTextAreaElement) return;
    event.preventDefault();
    focus(Math.min(rows.length - 1, Math.max(0, current === -1 ? rows.length - 1 : current + step)));
  };
  return { current, onKeyDown };
}
