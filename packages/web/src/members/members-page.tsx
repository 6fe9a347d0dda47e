/**
 * Everybody in the community: found by handle and role, brought in, given roles, moderated, removed.
 *
 * Invariant: the list says what every member may read; buttons are there only for whoever may press them. The server searches by handle; a search by role
 * loads whom it needs, and says how far it is.
 */
import type { CommunityMember } from "@althing/contract";
import { useState } from "react";
import { usePages, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useMorePages } from "../app/people.tsx";
import { useSession } from "../app/session.tsx";
import { wholeNumber } from "../app/times.ts";
import { useSettled } from "../app/use-settled.ts";
import { Button, EmptyState, LinkButton, ListState, Person, SearchField, SelectField, Table, Time, type Column } from "../ui/index.ts";
import { AddMemberDialog } from "./add-member-dialog.tsx";
import { MemberDialog } from "./member-dialog.tsx";
import { MembersFrame } from "./members-frame.tsx";
import { pickMembers } from "./pick-members.ts";
import { RoleBadges } from "./role-badges.tsx";
import { useMembersTexts } from "./texts.ts";

const shownAtATime = 50;
const searchMaxChars = 100;

export function MembersPage() {
  const t = useMembersTexts();
  const { community, ref, can } = useCommunity();
  const roles = useRead("roles.list", { params: { community: ref } }).data?.roles ?? [];
  const [open, setOpen] = useState<"add" | CommunityMember | undefined>();
  return (
    <MembersFrame
      title={t("tabs.members")}
      lead={t("lead", { count: community.members })}
      actions={can("members.invite") && <Button onClick={() => setOpen("add")}>{t("add.open")}</Button>}
    >
      <MemberList roles={roles.map(({ role }) => role)} onManage={setOpen} />
      {open === "add" && <AddMemberDialog onClose={() => setOpen(undefined)} />}
      {open !== undefined && open !== "add" && <MemberDialog member={open} roles={roles} onClose={() => setOpen(undefined)} />}
    </MembersFrame>
  );
}

function useMemberSearch(ref: string) {
  const [text, setText] = useState("");
  const [role, setRole] = useState("");
  const [shownMax, setShownMax] = useState(shownAtATime);
  const q = useSettled(text.trim().replace(/^@/, ""));
  const list = usePages(
    "communities.members",
    (after) => ({
      params: { community: ref },
      query: { limit: 200, ...(q === "" ? {} : { q: q.slice(0, searchMaxChars) }), ...(after === undefined ? {} : { after }) },
    }),
    ({ members, next }) => ({ rows: members, next }),
  );
  const isSearching = text.trim() !== "" || role !== "";
  useMorePages(list, isSearching, Number.POSITIVE_INFINITY);
  const found = pickMembers(list.rows, { text, role });
  const hasHidden = found.length > shownMax;
  const more = () => {
    setShownMax(shownMax + shownAtATime);
    if (!hasHidden || found.length - shownMax < shownAtATime) list.loadMore();
  };
  return {
    ...{ text, setText, role, setRole, found, seen: list.rows.length },
    isStillSearching: isSearching && list.hasMore,
    list: { ...list, rows: found.slice(0, shownMax), hasMore: hasHidden || (list.hasMore && !isSearching), loadMore: more },
  };
}

function MemberList({ roles, onManage }: { readonly roles: readonly string[]; readonly onManage: (member: CommunityMember) => void }) {
  const t = useMembersTexts();
  const { community, ref } = useCommunity();
  const search = useMemberSearch(ref);
  const columns = useColumns(onManage);
  const options = [{ value: "", label: t("list.anyRole") }, ...roles.map((role) => ({ value: role, label: role }))];
  return (
    <section aria-label={t("list.label")} className="grid gap-4">
      <div className="grid gap-3 sm:grid-cols-[1fr_14rem]">
        <SearchField label={t("list.search")} value={search.text} onChange={search.setText} />
        <SelectField
          label={t("list.role")}
          hideLabel
          options={options}
          value={search.role}
          onChange={({ target }) => search.setRole(target.value)}
        />
      </div>
      <p role="status" className="text-sm text-soft">
        {search.isStillSearching
          ? t("list.searching", { seen: wholeNumber(search.seen), all: wholeNumber(community.members) })
          : search.list.isPending
            ? ""
            : t("list.shown", { count: search.list.rows.length })}
      </p>
      <ListState
        list={search.list}
        waiting={{ height: "h-40 sm:h-14" }}
        empty={<EmptyState title={t("list.none")}>{t("list.noneText")}</EmptyState>}
      >
        <Table label={t("list.label")} columns={columns} rows={search.list.rows} keyOf={({ endpoint }) => endpoint} />
      </ListState>
    </section>
  );
}

function useColumns(onManage: (member: CommunityMember) => void): readonly Column<CommunityMember>[] {
  const t = useMembersTexts();
  const { ref, can } = useCommunity();
  const { identity } = useSession();
  const mayManage = can("members.manage") || can("moderation.act");
  return [
    {
      name: t("list.who"),
      isHeading: true,
      cell: ({ handle, endpoint }) => <Person handle={handle} you={endpoint === identity.endpoint} />,
    },
    { name: t("list.roles"), cell: (member) => <RoleBadges roles={member.roles} /> },
    { name: t("list.since"), cell: ({ since }) => <Time at={since} form="day" /> },
    {
      name: t("list.acts"),
      cell: (member) => {
        if (member.endpoint === identity.endpoint)
          return (
            <LinkButton
              tone="quiet"
              className="sm:whitespace-nowrap"
              to="/c/$community/settings"
              params={{ community: ref }}
              hash="membership"
            >
              {t("list.yourself")}
            </LinkButton>
          );
        if (!mayManage) return null;
        return (
          <Button tone="quiet" aria-label={t("list.manageOne", { handle: member.handle })} onClick={() => onManage(member)}>
            {t("list.manage")}
          </Button>
        );
      },
    },
  ];
}
