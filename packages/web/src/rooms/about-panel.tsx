/** How a room is set, what the server holds of it, and the acts that end one's part in it. */
import type { Room } from "@althing/contract";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { byteSize, wholeNumber } from "../app/times.ts";
import { Button, ConfirmDialog, Facts, Refusal, TextField, Time, useToast } from "../ui/index.ts";
import { PolicyFacts } from "./policy-facts.tsx";
import { useGoHome, useRoomsHome } from "./room-home.tsx";
import type { RoomSnapshot } from "./room-store.ts";
import { useRoomTexts } from "./texts.ts";
import { useRoomStores } from "./use-room.ts";

export function AboutPanel({ room, snapshot }: { readonly room: Room; readonly snapshot: RoomSnapshot }) {
  const t = useRoomTexts();
  const home = useRoomsHome();
  const { handle } = snapshot;
  const dropped = Object.entries(handle?.stats() ?? {}).filter(([code]) => code.includes("."));
  const mayDelete = room.role === "owner" || home.mayManage;
  return (
    <div className="grid gap-6">
      <section aria-label={t("about.rules")} className="grid gap-3">
        <h2 className="text-lg font-bold">{t("about.rules")}</h2>
        <PolicyFacts policy={room.policy} />
      </section>
      <Facts
        facts={[
          [t("about.name"), <bdi key="name">{room.name}</bdi>],
          [
            t("about.community"),
            room.community === undefined ? t("about.outside") : <bdi key="community">{home.communityName ?? room.community}</bdi>,
          ],
          [t("about.created"), <Time key="created" at={room.createdAt} form="short" />],
          [t("about.size"), byteSize(room.bytes)],
          [t("about.epoch"), room.policy.encrypt ? wholeNumber(room.epoch) : t("about.epochNone")],
          room.epochAt === undefined ? undefined : [t("about.lastEpoch"), <Time key="epoch" at={room.epochAt} />],
          [t("about.id"), <code key="id">{room.id}</code>],
          dropped.length === 0 ? undefined : [t("about.dropped"), dropped.map(([code, count]) => `${code}: ${count}`).join(", ")],
        ]}
      />
      {handle !== undefined && snapshot.status === "open" && (
        <div className="grid gap-3">
          {room.policy.encrypt && <Rekey handle={handle} />}
          <Leave room={room} handle={handle} />
          {mayDelete ? <Delete room={room} handle={handle} /> : <p className="text-sm text-soft">{t("about.whoDeletes")}</p>}
        </div>
      )}
    </div>
  );
}

type Opened = NonNullable<RoomSnapshot["handle"]>;

function Rekey({ handle }: { readonly handle: Opened }) {
  const t = useRoomTexts();
  const toast = useToast();
  const rekey = useAct(() => handle.rekey(), { changes: ["rooms."], onDone: () => toast({ text: t("about.rekeyed") }) });
  return (
    <div className="grid gap-1">
      <Button tone="quiet" busy={rekey.isPending} onClick={() => rekey.mutate()}>
        {t("about.rekey")}
      </Button>
      <p className="text-sm text-soft">{t("about.rekeyText")}</p>
      {rekey.isError && <Refusal error={rekey.error} />}
    </div>
  );
}

function Leave({ room, handle }: { readonly room: Room; readonly handle: Opened }) {
  const t = useRoomTexts();
  const toast = useToast();
  const stores = useRoomStores();
  const goHome = useGoHome();
  const [isAsked, setIsAsked] = useState(false);
  const leave = useAct(() => handle.leave(), {
    changes: ["rooms.mine", "rooms.ofCommunity"],
    onDone: () => {
      toast({ text: t("about.left", { room: room.name }) });
      goHome();
      stores.forget(room.id);
    },
  });
  return (
    <>
      <Button tone="quiet" onClick={() => setIsAsked(true)}>
        {t("about.leave")}
      </Button>
      {isAsked && (
        <ConfirmDialog
          title={t("about.leaveTitle", { room: room.name })}
          action={t("about.leave")}
          danger
          busy={leave.isPending}
          error={leave.error}
          onConfirm={() => leave.mutate()}
          onClose={() => setIsAsked(false)}
        >
          <p>{t("about.leaveText")}</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function Delete({ room, handle }: { readonly room: Room; readonly handle: Opened }) {
  const t = useRoomTexts();
  const toast = useToast();
  const stores = useRoomStores();
  const goHome = useGoHome();
  const [isAsked, setIsAsked] = useState(false);
  const [typed, setTyped] = useState("");
  const remove = useAct(() => handle.delete(), {
    changes: ["rooms.mine", "rooms.ofCommunity"],
    onDone: () => {
      toast({ text: t("about.deleted", { room: room.name }) });
      goHome();
      stores.forget(room.id);
    },
  });
  return (
    <>
      <Button tone="danger" onClick={() => setIsAsked(true)}>
        {t("about.delete")}
      </Button>
      {isAsked && (
        <ConfirmDialog
          title={t("about.deleteTitle", { room: room.name })}
          action={t("about.delete")}
          danger
          ready={typed === room.name}
          busy={remove.isPending}
          error={remove.error}
          onConfirm={() => remove.mutate()}
          onClose={() => setIsAsked(false)}
        >
          <p>{t("about.deleteText")}</p>
          <TextField
            label={t("about.deleteConfirm")}
            value={typed}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setTyped(event.target.value)}
          />
        </ConfirmDialog>
      )}
    </>
  );
}
