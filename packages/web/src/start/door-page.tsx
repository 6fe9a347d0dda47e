/** The door of a community, seen from outside: what it is, its rules and questions, and one's own request to come in. */
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import type { CommunityDoor } from "@althing/contract";
import { useAct, useRead } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Button, Card, ConfirmDialog, LinkButton, Page, PageHeader, Refusal, Section, Skeleton, Time, useToast } from "../ui/index.ts";
import { DirectoryLink } from "./directory-page.tsx";
import { DoorFacts, DoorForm, type Reply } from "./door-form.tsx";
import { useStartTexts } from "./texts.ts";

export function DoorPage() {
  const t = useStartTexts();
  const { community } = useParams({ from: "/plain/communities/door/$community" });
  const read = useRead("communities.door", { params: { community } }, { everyMs: 15_000 });
  const door = read.data;
  if (door === undefined)
    return (
      <Page>
        {read.error === null ? (
          <>
            <PageHeader title={t("door.loading")} above={<DirectoryLink />} />
            <Skeleton rows={4} />
          </>
        ) : (
          <>
            <PageHeader title={t("door.refused")} above={<DirectoryLink />} />
            <Refusal error={read.error} onRetry={() => void read.refetch()} />
          </>
        )}
      </Page>
    );
  return (
    <Page>
      <PageHeader title={t("door.title", { name: door.displayName })} above={<DirectoryLink />} />
      <DoorFacts door={door} />
      <DoorState door={door} />
    </Page>
  );
}

function DoorState({ door }: { readonly door: CommunityDoor }) {
  const t = useStartTexts();
  const navigate = useNavigate();
  const params = { community: door.name };
  const join = useAct((client, reply: Reply) => client.call("communities.join", { params, body: reply }), {
    changes: ["communities."],
    onDone: ({ state }) => {
      if (state === "joined") void navigate({ to: "/c/$community", params });
    },
  });
  if (door.isMember)
    return (
      <Card tone="good" className="flex flex-wrap items-center justify-between gap-3">
        <p>{t("door.isMember")}</p>
        <LinkButton to="/c/$community" params={params}>
          {t("door.go", { name: door.displayName })}
        </LinkButton>
      </Card>
    );
  if (door.request?.state === "open") return <Waiting door={door} />;
  if (door.registration === "invite" || door.registration === "closed")
    return (
      <Section
        title={door.registration === "invite" ? t("door.byInvitation") : t("door.closed")}
        lead={door.registration === "invite" ? t("door.byInvitationText") : t("door.closedText")}
      >
        <LinkButton to="/communities/invitation" tone="quiet">
          {t("home.useInvitation")}
        </LinkButton>
      </Section>
    );
  return (
    <>
      {door.request?.state === "declined" && <Declined request={door.request} />}
      <DoorForm
        door={door}
        action={door.registration === "open" ? t("door.join") : t("door.ask")}
        busy={join.isPending}
        error={join.error}
        onReply={(reply) => join.mutate(reply)}
      />
    </>
  );
}

function Waiting({ door }: { readonly door: CommunityDoor }) {
  const t = useStartTexts();
  const { user } = useSession();
  const show = useToast();
  const withdraw = useAct(
    (client) => client.call("communities.withdrawRequest", { params: { community: door.name, endpoint: user.endpoint } }),
    {
      changes: ["communities."],
      onDone: () => show({ text: t("door.withdrawn") }),
    },
  );
  const [isAsked, setIsAsked] = useState(false);
  return (
    <Section title={t("door.waiting")} lead={t("door.waitingText")}>
      <div className="grid gap-4">
        {door.request !== undefined && (
          <p className="text-soft">
            {t("door.askedAt")} <Time at={door.request.createdAt} />
          </p>
        )}
        <div>
          <Button tone="quiet" onClick={() => setIsAsked(true)}>
            {t("door.withdraw")}
          </Button>
        </div>
        {isAsked && (
          <ConfirmDialog
            title={t("door.withdrawTitle")}
            action={t("door.withdraw")}
            busy={withdraw.isPending}
            error={withdraw.error}
            onConfirm={() => withdraw.mutate()}
            onClose={() => setIsAsked(false)}
          >
            <p>{t("door.withdrawAsk")}</p>
          </ConfirmDialog>
        )}
      </div>
    </Section>
  );
}

function Declined({ request }: { readonly request: NonNullable<CommunityDoor["request"]> }) {
  const t = useStartTexts();
  return (
    <Card tone="note" className="grid gap-2">
      <p className="font-semibold">{t("door.declined")}</p>
      {request.answer !== undefined && (
        <p>
          {t("door.declinedAnswer")}: <bdi className="whitespace-pre-wrap">{request.answer}</bdi>
        </p>
      )}
      <p className="text-soft">{t("door.declinedAgain")}</p>
    </Card>
  );
}
