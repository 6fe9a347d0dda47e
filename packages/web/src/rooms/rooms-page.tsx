/**
 * Lists of rooms: the reader's own outside of communities, and those of a community.
 *
 * Invariant: a list shows that rooms are there and how they are set; what is unread in them is counted in this browser.
 */
import type { CommunityRoom } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useSession } from "../app/session.tsx";
import { Badge, Button, EmptyState, ListState, Page, PageHeader, SearchField, Section } from "../ui/index.ts";
import { AskToJoin } from "./ask-to-join.tsx";
import { FoundRoom } from "./found-room.tsx";
import { PolicyBadges } from "./policy-facts.tsx";
import { RoomPlace, instanceHome, type RoomsHome } from "./room-home.tsx";
import { useRoomTexts } from "./texts.ts";
import { countedMax } from "./unread-counts.ts";
import { useUnread } from "./use-room.ts";

/** A room as a list shows it. */
type Listed = Pick<CommunityRoom, "id" | "name" | "policy" | "members" | "joined"> & { readonly unread: number };

const pollMs = 15_000;

/** All rooms of the reader, in communities and outside. */
function useOwnRooms() {
  const { user } = useSession();
  const list = usePages(
    "rooms.mine",
    (after) => ({ params: { endpoint: user.endpoint }, query: { limit: 200, ...(after === undefined ? {} : { after }) } }),
    ({ rooms, next }) => ({ rows: rooms, next }),
    { everyMs: pollMs },
  );
  const unread = useUnread(list.isPending ? undefined : list.rows);
  return { list, unread };
}

export function InstanceRoomsPage() {
  const t = useRoomTexts();
  const { list, unread } = useOwnRooms();
  const listed = list.rows.map((room) => ({ ...room, unread: unread.get(room.id) ?? 0 }));
  const outside = listed.filter(({ community }) => community === undefined);
  const inside = listed.filter(({ community }) => community !== undefined);
  return (
    <RoomPlace value={instanceHome}>
      <RoomsScreen lead={t("list.lead")} list={{ ...list, rows: outside }} empty={t("list.empty")} emptyText={t("list.emptyText")} mayFound>
        {inside.length > 0 && <CommunityRooms rooms={inside} />}
      </RoomsScreen>
    </RoomPlace>
  );
}

export function CommunityRoomsPage() {
  const t = useRoomTexts();
  const { ref, community, can } = useCommunity();
  const mayManage = can("rooms.manage");
  const { unread } = useOwnRooms();
  const list = usePages(
    "rooms.ofCommunity",
    (after) => ({ params: { community: ref }, query: { limit: 200, ...(after === undefined ? {} : { after }) } }),
    ({ rooms, next }) => ({ rows: rooms, next }),
    { everyMs: pollMs },
  );
  const rows = list.rows.map((room) => ({ ...room, unread: unread.get(room.id) ?? 0 }));
  const home: RoomsHome = { community: ref, communityName: community.displayName, mayManage };
  return (
    <RoomPlace value={home}>
      <RoomsScreen
        lead={t(mayManage ? "list.managerLead" : "list.communityLead")}
        list={{ ...list, rows }}
        empty={t("list.communityEmpty")}
        emptyText={t("list.communityEmptyText")}
        mayFound={can("rooms.create")}
        community={ref}
      />
    </RoomPlace>
  );
}

interface ScreenProps {
  readonly lead: string;
  readonly list: Omit<ReturnType<typeof useOwnRooms>["list"], "rows"> & { readonly rows: readonly Listed[] };
  readonly empty: string;
  readonly emptyText: string;
  readonly mayFound: boolean;
  readonly community?: string;
  readonly children?: ReactNode;
}

function RoomsScreen({ lead, list, empty, emptyText, mayFound, community, children }: ScreenProps) {
  const t = useRoomTexts();
  const [search, setSearch] = useState("");
  const [isFounding, setIsFounding] = useState(false);
  const found = list.rows.filter(({ name }) => name.includes(search.trim().toLowerCase()));
  const foundButton = mayFound && <Button onClick={() => setIsFounding(true)}>{t("list.found")}</Button>;
  const isEmpty = !list.isPending && list.rows.length === 0;
  return (
    <Page>
      <PageHeader title={t("list.title")} lead={lead} actions={!isEmpty && foundButton} />
      {list.rows.length > 6 && <SearchField label={t("list.search")} value={search} onChange={setSearch} />}
      <ListState
        list={list}
        waiting={{ height: "h-20" }}
        empty={
          <EmptyState title={empty} actions={foundButton}>
            {emptyText}
          </EmptyState>
        }
      >
        {found.length === 0 ? <EmptyState title={t("list.nothingFound")} /> : <RoomCards rooms={found} community={community} />}
      </ListState>
      {children}
      <AskToJoin />
      {isFounding && <FoundRoom onClose={() => setIsFounding(false)} />}
    </Page>
  );
}

function RoomCards({ rooms, community }: { readonly rooms: readonly Listed[]; readonly community: string | undefined }) {
  return (
    <ul className="grid gap-2">
      {rooms.map((room) => (
        <li key={room.id}>
          {community === undefined ? (
            <Link to="/rooms/$room" params={{ room: room.name }} className={cardClass}>
              <RoomCard room={room} />
            </Link>
          ) : (
            <Link to="/c/$community/rooms/$room" params={{ community, room: room.name }} className={cardClass}>
              <RoomCard room={room} />
            </Link>
          )}
        </li>
      ))}
    </ul>
  );
}

const cardClass =
  "flex min-h-16 flex-wrap items-center justify-between gap-x-4 gap-y-1 rounded-card border border-line bg-card px-4 py-3 text-ink no-underline hover:border-edge hover:bg-raised";

function RoomCard({ room: { name, policy, members, joined, unread } }: { readonly room: Listed }) {
  const t = useRoomTexts();
  const shown = unread >= countedMax ? `${countedMax - 1}+` : String(unread);
  return (
    <>
      <span className="min-w-0">
        <bdi className="block text-lg font-semibold wrap-anywhere">{name}</bdi>
        <span className="text-sm text-soft">{t("list.members", { count: members })}</span>
      </span>
      <span className="flex flex-wrap items-center gap-2">
        {joined === undefined && <Badge>{t("list.notIn")}</Badge>}
        {joined === false && <Badge tone="accent">{t("list.invited")}</Badge>}
        <PolicyBadges policy={policy} />
        {unread > 0 && (
          <span className="grid min-w-7 place-items-center rounded-full bg-accent px-2 py-0.5 text-sm font-bold text-on-accent">
            <span aria-hidden="true">{shown}</span>
            <span className="sr-only">{t("list.unread", { count: unread })}</span>
          </span>
        )}
      </span>
    </>
  );
}

/** Rooms of communities, on the page of all others: what is new in them should be seen there, too. */
function CommunityRooms({ rooms }: { readonly rooms: readonly (Listed & { readonly community?: string | undefined })[] }) {
  const t = useRoomTexts();
  const communities = useRead("communities.list", { query: { limit: 200 } }).data?.communities ?? [];
  const ids = [...new Set(rooms.flatMap(({ community }) => community ?? []))];
  return (
    <Section title={t("list.elsewhere")}>
      <div className="grid gap-4">
        {ids.map((id) => {
          const community = communities.find((one) => one.id === id);
          return (
            <div key={id} className="grid gap-2">
              <h3 className="font-semibold text-soft">
                <bdi>{community?.displayName ?? id}</bdi>
              </h3>
              <RoomCards rooms={rooms.filter((room) => room.community === id)} community={community?.name ?? id} />
            </div>
          );
        })}
      </div>
    </Section>
  );
}
