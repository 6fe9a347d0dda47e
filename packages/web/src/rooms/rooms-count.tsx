/**
 * How much is unread in all rooms, beside the way to them, on every screen.
 *
 * Invariant: drawn over the way and not in it, so that nothing moves when something comes. Its first drawing begins the counting; whoever shows it waits
 * until the screen is there.
 */
import { useRoomTexts } from "./texts.ts";
import { countedMax } from "./unread-counts.ts";
import { useUnread } from "./use-room.ts";

export function RoomsCount() {
  const t = useRoomTexts();
  const unread = useUnread(undefined);
  const count = [...unread.values()].reduce((sum, one) => sum + one, 0);
  if (count === 0) return null;
  return (
    <span className="absolute end-0 top-0 grid min-w-5 place-items-center rounded-full bg-accent px-1 text-xs leading-5 font-bold text-on-accent">
      <span aria-hidden="true">{count >= countedMax ? `${countedMax - 1}+` : count}</span>
      <span className="sr-only">{t("list.unread", { count })}</span>
    </span>
  );
}
