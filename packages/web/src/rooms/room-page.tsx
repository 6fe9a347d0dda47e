/**
 * The page of one room, in a community or outside of any: the room for members, the invitation for whoever is invited, and the way in for the others.
 *
 * Invariant: what a room is called and how it is set comes from the route; what is said in it, and by whom, only from the client library.
 */
import { hasCode, type Room } from "@althing/contract";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import {
  Actions,
  Button,
  Card,
  ConfirmDialog,
  EmptyState,
  LinkButton,
  Page,
  PageHeader,
  Refusal,
  Skeleton,
  useToast,
} from "../ui/index.ts";
import { PolicyFacts } from "./policy-facts.tsx";
import { HomeButton, instanceHome, RoomPlace, useGoHome, type RoomsHome } from "./room-home.tsx";
import { RoomView } from "./room-view.tsx";
import { useRoomTexts } from "./texts.ts";
import { useRoomStores } from "./use-room.ts";

export function InstanceRoomPage() {
  const reference = useParams({ strict: false, select: ({ room }) => room ?? "" });
  return <RoomAt key={reference} reference={reference} home={instanceHome} />;
}

export function CommunityRoomPage() {
  const t = useRoomTexts();
  const { ref, community, can } = useCommunity();
  const reference = useParams({ strict: false, select: ({ room }) => room ?? "" });
  const read = useRead("rooms.get", { params: { room: reference } });
  if (read.data !== undefined && read.data.community !== community.id)
    return (
      <Page>
        <PageHeader title={read.data.name} />
        <EmptyState
          title={t("absent.foreign")}
          actions={
            <LinkButton to="/rooms/$room" params={{ room: read.data.name }}>
              {t("absent.openThere")}
            </LinkButton>
          }
        />
      </Page>
    );
  return (
    <RoomAt
      key={reference}
      reference={reference}
      home={{ community: ref, communityName: community.displayName, mayManage: can("rooms.manage") }}
    />
  );
}

function RoomAt({ reference, home }: { readonly reference: string; readonly home: RoomsHome }) {
  const [wasMissing, setWasMissing] = useState(false);
  // Whoever waits to be let in has no connection that would tell.
  const read = useRead("rooms.get", { params: { room: reference } }, { everyMs: wasMissing ? 4_000 : 30_000 });
  const isMissing = hasCode(read.error, "room.not_found");
  // While it is asked again whether somebody was let in, the page stays.
  if (isMissing && !wasMissing) setWasMissing(true);
  // Whoever was removed keeps what is on the screen, and the room itself says what happened.
  const room = read.data;
  if (room !== undefined)
    return <RoomPlace value={home}>{room.joined ? <RoomView key={room.id} room={room} /> : <InvitedRoom room={room} />}</RoomPlace>;
  return (
    <RoomPlace value={home}>
      <Page>
        {read.isPending && !wasMissing ? (
          <>
            <PageHeader title={reference} />
            <Skeleton rows={5} />
          </>
        ) : isMissing || read.isPending ? (
          <AbsentRoom reference={reference} />
        ) : (
          <>
            <PageHeader title={reference} />
            <Refusal error={read.error} onRetry={() => void read.refetch()} />
          </>
        )}
      </Page>
    </RoomPlace>
  );
}

function AbsentRoom({ reference }: { readonly reference: string }) {
  const t = useRoomTexts();
  const [isAsked, setIsAsked] = useState(false);
  const ask = useAct((client) => client.rooms.join(reference), {
    changes: ["rooms."],
    onDone: ({ status }) => setIsAsked(status === "requested"),
  });
  return (
    <>
      <PageHeader title={t("absent.title")} lead={isAsked ? undefined : t("absent.text", { room: reference })} />
      <p role="status">{isAsked ? t("absent.asked") : ""}</p>
      {ask.isError && <Refusal error={ask.error} />}
      <Actions>
        {!isAsked && (
          <Button busy={ask.isPending} onClick={() => ask.mutate()}>
            {t("absent.ask")}
          </Button>
        )}
        <HomeButton text={t("absent.back")} />
      </Actions>
    </>
  );
}

function InvitedRoom({ room }: { readonly room: Room }) {
  const t = useRoomTexts();
  const stores = useRoomStores();
  const toast = useToast();
  const goHome = useGoHome();
  const accept = useAct(
    async (client) => {
      // What was open before an earlier departure begins anew.
      stores.forget(room.id);
      await client.rooms.join(room.id);
    },
    { changes: ["rooms."] },
  );
  const [isDeclining, setIsDeclining] = useState(false);
  const decline = useAct((client) => client.call("rooms.leave", { params: { room: room.id }, body: {} }), {
    changes: ["rooms.mine", "rooms.ofCommunity"],
    onDone: () => {
      toast({ text: t("invited.declined", { room: room.name }) });
      goHome();
    },
  });
  return (
    <Page>
      <PageHeader title={t("invited.title", { room: room.name })} lead={t("invited.text")} />
      <Card>
        <PolicyFacts policy={room.policy} />
      </Card>
      {accept.isError && <Refusal error={accept.error} />}
      <Actions>
        <Button busy={accept.isPending} onClick={() => accept.mutate()}>
          {t("invited.accept")}
        </Button>
        <Button tone="quiet" onClick={() => setIsDeclining(true)}>
          {t("invited.decline")}
        </Button>
      </Actions>
      {isDeclining && (
        <ConfirmDialog
          title={t("invited.declineTitle", { room: room.name })}
          action={t("invited.decline")}
          busy={decline.isPending}
          error={decline.error}
          onConfirm={() => decline.mutate()}
          onClose={() => setIsDeclining(false)}
        >
          <p>{t("invited.declineAsk")}</p>
        </ConfirmDialog>
      )}
    </Page>
  );
}
