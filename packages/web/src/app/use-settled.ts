/** What was typed, once the typing stopped for a moment: what is asked of the server by it is not asked at every letter. */
import { useEffect, useState } from "react";

const settleMs = 250;

/** `value` as it was when it last stayed the same; empty at once, so that a search that was cleared is over. */
export function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), settleMs);
    return () => clearTimeout(timer);
  }, [value]);
  return value === "" ? "" : settled;
}
