/**
 * Dragging an entry of a list to another place with a mouse, a finger or a pen.
 *
 * Invariant: nothing moves before it is let go, so that the pointer keeps hold of what it took; a drag that is broken off changes nothing. It is one way
 * among others: every list that uses it has buttons that do the same.
 */
import { useRef, useState, type PointerEvent, type RefObject } from "react";

export interface DragOrder {
  /** The list whose direct children are the entries. */
  readonly listRef: RefObject<HTMLOListElement | null>;
  readonly from: number | undefined;
  /** Where it would stand now. */
  readonly over: number | undefined;
  handle(index: number): {
    onPointerDown(event: PointerEvent<HTMLElement>): void;
    onPointerMove(event: PointerEvent<HTMLElement>): void;
    onPointerUp(): void;
    onPointerCancel(): void;
  };
}

/** @param boxes top and height of each entry, in order @returns the place of the entry whose middle is nearest */
export function placeAt(boxes: readonly { readonly top: number; readonly height: number }[], y: number): number {
  let [nearest, least] = [0, Infinity];
  for (const [place, { top, height }] of boxes.entries()) {
    const distance = Math.abs(top + height / 2 - y);
    if (distance < least) [nearest, least] = [place, distance];
  }
  return nearest;
}

export function useDragOrder(onMove: (from: number, to: number) => void): DragOrder {
  const listRef = useRef<HTMLOListElement>(null);
  const [drag, setDrag] = useState<{ readonly from: number; readonly over: number }>();
  return {
    listRef,
    from: drag?.from,
    over: drag?.over,
    handle: (index) => ({
      onPointerDown(event) {
        if (event.button !== 0) return;
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: index, over: index });
      },
      onPointerMove(event) {
        if (drag === undefined) return;
        const boxes = [...(listRef.current?.children ?? [])].map((child) => child.getBoundingClientRect());
        setDrag({ from: drag.from, over: placeAt(boxes, event.clientY) });
      },
      onPointerUp() {
        if (drag !== undefined && drag.over !== drag.from) onMove(drag.from, drag.over);
        setDrag(undefined);
      },
      onPointerCancel: () => setDrag(undefined),
    }),
  };
}
