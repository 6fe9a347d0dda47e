/**
 * Up, down and away, for an entry of a list that people put in order.
 *
 * Invariant: the button that was pressed keeps the focus, also at the ends of the list, so that an entry can be walked from one end to the other with one key.
 */
import { ArrowDown, ArrowUp, GripVertical, X } from "lucide-react";
import type { ReactNode } from "react";
import type { DragOrder } from "./use-drag-order.ts";

export const iconButton =
  "inline-grid min-h-11 min-w-11 place-items-center rounded-lg border border-edge bg-card text-ink hover:bg-raised aria-disabled:opacity-50";

interface Props {
  readonly labels: { readonly up: string; readonly down: string; readonly drop: string };
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** Names the buttons for `useKeptFocus`. */
  readonly entry: string;
  readonly onStep: (by: -1 | 1) => void;
  readonly onDrop: () => void;
  readonly children?: ReactNode;
}

export function MoveButtons({ labels, isFirst, isLast, entry, onStep, onDrop, children }: Props) {
  return (
    <span className="flex flex-wrap justify-end gap-1.5">
      {children}
      <button
        type="button"
        data-move={`${entry} up`}
        aria-label={labels.up}
        aria-disabled={isFirst}
        className={iconButton}
        onClick={() => !isFirst && onStep(-1)}
      >
        <ArrowUp aria-hidden="true" className="size-5" />
      </button>
      <button
        type="button"
        data-move={`${entry} down`}
        aria-label={labels.down}
        aria-disabled={isLast}
        className={iconButton}
        onClick={() => !isLast && onStep(1)}
      >
        <ArrowDown aria-hidden="true" className="size-5" />
      </button>
      <button type="button" aria-label={labels.drop} className={iconButton} onClick={onDrop}>
        <X aria-hidden="true" className="size-5" />
      </button>
    </span>
  );
}

/** Where a pointer takes hold of the entry; keys have the buttons. */
export function DragHandle({ drag, index }: { readonly drag: DragOrder; readonly index: number }) {
  return (
    <span
      aria-hidden="true"
      className="grid min-h-11 w-6 shrink-0 cursor-grab touch-none place-items-center text-soft select-none"
      {...drag.handle(index)}
    >
      <GripVertical className="size-5" />
    </span>
  );
}
