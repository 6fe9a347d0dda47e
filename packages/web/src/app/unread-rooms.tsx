/**
 * How much is unread in rooms, for the frame around every screen.
 *
 * Invariant: not of the first load: the counting has its own code, and a connection. Where that code cannot be had, because the instance is away, no screen is
 * harmed; it is asked for again.
 */
import { useEffect, useState, type ComponentType } from "react";

/** From the first screen on; after a failure doubled. */
const delayMs = 1_000;
const delayMaxMs = 60_000;

export function UnreadRooms() {
  const [Count, setCount] = useState<ComponentType>();
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout>;
    const load = async (waitMs: number): Promise<void> => {
      try {
        const { RoomsCount } = await import("../rooms/rooms-count.tsx");
        if (!isOver) setCount(() => RoomsCount);
      } catch {
        if (!isOver) loadAfter(Math.min(waitMs * 2, delayMaxMs));
      }
    };
    const loadAfter = (waitMs: number): void => {
      timer = setTimeout(() => void load(waitMs), waitMs);
    };
    loadAfter(delayMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  return Count === undefined ? null : <Count />;
}
