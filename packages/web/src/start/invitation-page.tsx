/**
 * An invitation to a community: what it invites into, and the way in.
 *
 * Invariant: the token comes out of the fragment or is pasted, travels in the body of a signed request, and is forgotten once it was used or refused.
 */
import { hasCode, type CommunityDoor } from "@althing/contract";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { useToken } from "../app/token.tsx";
import { Button, Card, LinkButton, Page, PageHeader, Refusal, Skeleton } from "../ui/index.ts";
import { DoorFacts, DoorForm, type Reply } from "./door-form.tsx";
import { PasteInvitation } from "./paste-invitation.tsx";
import { useStartTexts } from "./texts.ts";

export function InvitationPage() {
  const t = useStartTexts();
  const { token, drop } = useToken();
  const [pasted, setPasted] = useState<string>();
  const held = pasted ?? (token?.kind === "invitation" ? token.token : undefined);
  const forget = () => {
    setPasted(undefined);
    drop();
  };
  if (held !== undefined) return <Invitation token={held} onForget={forget} />;
  return (
    <Page>
      <PageHeader title={t("invitation.title")} lead={t("invitation.lead")} />
      <Card className="max-w-2xl">
        <PasteInvitation
          bare="invitation"
          refused={(kind, say) => (kind === "invitation" ? undefined : say("invitation.isInstance"))}
          onToken={({ token: text }) => setPasted(text)}
        />
      </Card>
    </Page>
  );
}

function Invitation({ token, onForget }: { readonly token: string; readonly onForget: () => void }) {
  const t = useStartTexts();
  const { client } = useSession();
  // A read, although it is sent as a body: a token does not belong into an address.
  const read = useQuery({
    queryKey: ["communities.readInvitation", token],
    queryFn: ({ signal }) => client.call("communities.readInvitation", { body: { token } }, { signal }),
    gcTime: 0,
  });
  if (read.isPending)
    return (
      <Page>
        <Skeleton rows={4} />
      </Page>
    );
  if (read.data === undefined)
    return (
      <Page>
        <PageHeader
          title={t("invitation.invalid")}
          {...(hasCode(read.error, "invitation.invalid") ? { lead: t("invitation.invalidWhy") } : {})}
        />
        <Refusal error={read.error} onRetry={() => void read.refetch()} />
        <div className="flex flex-wrap gap-2">
          <Button tone="quiet" onClick={onForget}>
            {t("invitation.another")}
          </Button>
          <LinkButton to="/" tone="quiet" onClick={onForget}>
            {t("invitation.home")}
          </LinkButton>
        </div>
      </Page>
    );
  return <Into door={read.data} token={token} onForget={onForget} />;
}

function Into({ door, token, onForget }: { readonly door: CommunityDoor; readonly token: string; readonly onForget: () => void }) {
  const t = useStartTexts();
  const navigate = useNavigate();
  const params = { community: door.name };
  const join = useAct((client, reply: Reply) => client.call("communities.joinByInvitation", { body: { token, ...reply } }), {
    changes: ["communities."],
    onDone: () => void navigate({ to: "/c/$community", params }).then(onForget),
  });
  return (
    <Page>
      <PageHeader title={t("invitation.into", { name: door.displayName })} lead={t("invitation.roleNote")} />
      <DoorFacts door={door} isInvited />
      {door.isMember ? (
        <Card tone="good" className="flex flex-wrap items-center justify-between gap-3">
          <p>{t("door.isMember")}</p>
          <LinkButton to="/c/$community" params={params} onClick={onForget}>
            {t("door.go", { name: door.displayName })}
          </LinkButton>
        </Card>
      ) : (
        <DoorForm door={door} action={t("door.join")} busy={join.isPending} error={join.error} onReply={(reply) => join.mutate(reply)} />
      )}
    </Page>
  );
}
