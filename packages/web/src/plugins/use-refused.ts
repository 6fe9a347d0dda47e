/** What somebody leaves out of what a package asks for. */
import { useState } from "react";
import { itemKey, type GrantItem } from "./grant-choice.ts";

export function useRefused(atFirst: ReadonlySet<string> = new Set()): {
  readonly refused: ReadonlySet<string>;
  readonly toggle: (item: GrantItem) => void;
} {
  const [refused, setRefused] = useState(atFirst);
  return {
    refused,
    toggle: (item) =>
      setRefused((before) => {
        const next = new Set(before);
        if (!next.delete(itemKey(item))) next.add(itemKey(item));
        return next;
      }),
  };
}
