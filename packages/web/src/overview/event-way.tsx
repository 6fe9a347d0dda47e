/**
 * The way to what an event is about, where there is one.
 *
 * Invariant: what an event names is an address only if it has the form of one; the rest of its data is text of whoever wrote it.
 */
import { extensionIdSchema, roomIdSchema, roomNameSchema, ulidSchema, type PublicEvent } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { groupOf } from "./event-lines.ts";

const schemas = { proposal: [ulidSchema], room: [roomIdSchema, roomNameSchema], extension: [extensionIdSchema] } as const;

function idAt(event: PublicEvent, field: keyof typeof schemas): string | undefined {
  const value = event.data[field];
  return typeof value === "string" && schemas[field].some((schema) => schema.safeParse(value).success) ? value : undefined;
}

/** @param community as in addresses */
export function EventWay({
  event,
  community,
  children,
  className,
}: {
  readonly event: PublicEvent;
  readonly community: string;
  readonly children: ReactNode;
  readonly className?: string;
}) {
  const here = { community };
  const style = className === undefined ? {} : { className };
  const proposal = idAt(event, "proposal");
  if (proposal !== undefined)
    return (
      <Link {...style} to="/c/$community/proposals/$proposal" params={{ community, proposal }}>
        {children}
      </Link>
    );
  const room = idAt(event, "room");
  if (room !== undefined && event.topic !== "room.deleted")
    return (
      <Link {...style} to="/c/$community/rooms/$room" params={{ community, room }}>
        {children}
      </Link>
    );
  const extension = idAt(event, "extension");
  if (extension !== undefined && event.topic !== "package.removed")
    return (
      <Link {...style} to="/c/$community/plugins/packages/$extension" params={{ community, extension }}>
        {children}
      </Link>
    );
  switch (groupOf(event.topic)) {
    case "member":
      return (
        <Link {...style} to="/c/$community/members" params={here}>
          {children}
        </Link>
      );
    case "role":
      return (
        <Link {...style} to="/c/$community/members/roles" params={here}>
          {children}
        </Link>
      );
    case "moderation":
      return (
        <Link {...style} to="/c/$community/moderation" params={here}>
          {children}
        </Link>
      );
    case "announcement":
      return (
        <Link {...style} to="/c/$community/announcements" params={here}>
          {children}
        </Link>
      );
    case "delegation":
      return (
        <Link {...style} to="/c/$community/delegation" params={here}>
          {children}
        </Link>
      );
    case "policy":
      return (
        <Link {...style} to="/c/$community/plugins/policy" params={here}>
          {children}
        </Link>
      );
    case "module":
      return (
        <Link {...style} to="/c/$community/plugins/modules" params={here}>
          {children}
        </Link>
      );
    default:
      return <span {...style}>{children}</span>;
  }
}

/** Whether there is a way at all. */
export function hasWay(event: PublicEvent): boolean {
  const group = groupOf(event.topic);
  return (
    group !== undefined && group !== "community" && group !== "ext" && event.topic !== "package.removed" && event.topic !== "room.deleted"
  );
}
