/** Announcements: what everybody in the community should know, newest first. */
import { hasCode, type Announcement } from "@althing/contract";
import { useEffect, useState } from "react";
import { useAct, usePages } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { PersonOf } from "../app/people.tsx";
import { useSession } from "../app/session.tsx";
import { Badge, Button, Card, ConfirmDialog, EmptyState, LinkedText, ListState, Page, PageHeader, Time, useToast } from "../ui/index.ts";
import { ChangeAnnouncement, PostAnnouncement } from "./announcement-form.tsx";
import { markSeen, seenUpTo } from "./seen-announcements.ts";
import { useOverviewTexts } from "./texts.ts";

export function AnnouncementsPage() {
  const t = useOverviewTexts();
  const { user } = useSession();
  const { community, ref, can } = useCommunity();
  const [isPosting, setIsPosting] = useState(false);
  // As it was when the page was opened: what is new stays marked while it is looked at.
  const [seen] = useState(() => seenUpTo(community.id, user.endpoint));
  const list = usePages(
    "announcements.list",
    (before) => ({ params: { community: ref }, query: { limit: 50, ...(before === undefined ? {} : { before }) } }),
    ({ announcements, next }) => ({ rows: announcements, next }),
  );
  const newest = list.rows[0]?.id;
  useEffect(() => {
    if (newest !== undefined) markSeen(community.id, user.endpoint, newest);
  }, [community.id, user.endpoint, newest]);
  const isOff = hasCode(list.error, "module.disabled");
  const mayPost = can("community.manage") && !isOff;
  return (
    <Page>
      <PageHeader
        title={t("announcements.title")}
        lead={t("announcements.lead")}
        actions={mayPost && !isPosting && <Button onClick={() => setIsPosting(true)}>{t("announcements.post")}</Button>}
      />
      {isPosting && <PostAnnouncement onClose={() => setIsPosting(false)} />}
      {isOff ? (
        <EmptyState title={t("announcements.moduleOff")}>{t("announcements.moduleOffText")}</EmptyState>
      ) : (
        <ListState
          list={list}
          waiting={{ height: "h-40" }}
          empty={
            <EmptyState title={t("announcements.empty")}>
              {mayPost ? t("announcements.emptyManager") : t("announcements.emptyText")}
            </EmptyState>
          }
        >
          <ul className="grid gap-4">
            {list.rows.map((announcement) => (
              <li key={announcement.id}>
                <AnnouncementCard announcement={announcement} isNew={announcement.id > seen && announcement.author !== user.endpoint} />
              </li>
            ))}
          </ul>
        </ListState>
      )}
    </Page>
  );
}

function AnnouncementCard({ announcement, isNew }: { readonly announcement: Announcement; readonly isNew: boolean }) {
  const t = useOverviewTexts();
  const { can } = useCommunity();
  const [isOpen, setIsOpen] = useState<"change" | "remove">();
  const isDigest = announcement.kind === "digest";
  if (isOpen === "change") return <ChangeAnnouncement announcement={announcement} onClose={() => setIsOpen(undefined)} />;
  return (
    <Card className="grid gap-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-soft">
        {isDigest ? (
          <Badge>{t("announcements.digest")}</Badge>
        ) : (
          <PersonOf endpoint={announcement.author} gone={t("announcements.erased")} />
        )}
        <Time at={announcement.at} />
        {announcement.changedAt !== undefined && (
          <span>
            {t("announcements.changed")} <Time at={announcement.changedAt} />
          </span>
        )}
        {isNew && <Badge tone="good">{t("announcements.isNew")}</Badge>}
      </div>
      <p className="max-w-prose whitespace-pre-wrap">
        <bdi>
          <LinkedText text={announcement.text} />
        </bdi>
      </p>
      {can("community.manage") && (
        <div className="flex flex-wrap gap-2">
          <Button tone="quiet" onClick={() => setIsOpen("change")}>
            {t("announcements.change")}
          </Button>
          <Button tone="plain" onClick={() => setIsOpen("remove")}>
            {t("announcements.remove")}
          </Button>
        </div>
      )}
      {isOpen === "remove" && <RemoveDialog announcement={announcement} onClose={() => setIsOpen(undefined)} />}
    </Card>
  );
}

function RemoveDialog({ announcement, onClose }: { readonly announcement: Announcement; readonly onClose: () => void }) {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const show = useToast();
  const remove = useAct((client) => client.call("announcements.remove", { params: { community: ref, announcement: announcement.id } }), {
    changes: ["announcements."],
    onDone: () => show({ text: t("announcements.removed") }),
  });
  return (
    <ConfirmDialog
      title={t("announcements.removeTitle")}
      action={t("announcements.remove")}
      danger
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t("announcements.removeText")}</p>
      <div className="rounded-lg bg-raised p-3">
        <p className="line-clamp-4 whitespace-pre-wrap">
          <bdi>{announcement.text}</bdi>
        </p>
      </div>
    </ConfirmDialog>
  );
}
