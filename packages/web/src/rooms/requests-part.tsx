/** Who asked to be let into a room. */
import type { Room } from "@althing/contract";
import type { JoinRequest, RoomHandle } from "@althing/client";
import { useAct, useRead } from "../app/calls.ts";
import { Button, Person, Refusal, Time } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";

export function RequestsPart({ room, handle }: { readonly room: Room; readonly handle: RoomHandle }) {
  const t = useRoomTexts();
  const read = useRead("rooms.requests", { params: { room: room.id } });
  const requests = read.data?.requests ?? [];
  if (read.isError) return <Refusal error={read.error} onRetry={() => void read.refetch()} />;
  if (requests.length === 0) return null;
  return (
    <section aria-label={t("members.requests")} className="grid gap-2">
      <h2 className="text-lg font-bold">{t("members.requests")}</h2>
      <ul className="grid gap-2">
        {requests.map((request) => (
          <RequestRow key={request.endpoint} request={request} handle={handle} />
        ))}
      </ul>
    </section>
  );
}

function RequestRow({ request: { endpoint, handle: who, at }, handle }: { readonly request: JoinRequest; readonly handle: RoomHandle }) {
  const t = useRoomTexts();
  const admit = useAct(() => handle.admit(endpoint), { changes: ["rooms."] });
  const decline = useAct(() => handle.decline(endpoint), { changes: ["rooms."] });
  const isBusy = admit.isPending || decline.isPending;
  return (
    <li className="grid gap-2 rounded-lg bg-raised p-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Person handle={who} />
        <span className="text-sm text-soft">
          <Time at={at} />
        </span>
      </div>
      {admit.isError && <Refusal error={admit.error} />}
      {decline.isError && <Refusal error={decline.error} />}
      <div className="flex flex-wrap gap-2">
        <Button busy={admit.isPending} disabled={isBusy} aria-label={t("members.admitOf", { who })} onClick={() => admit.mutate()}>
          {t("members.admit")}
        </Button>
        <Button
          tone="quiet"
          busy={decline.isPending}
          disabled={isBusy}
          aria-label={t("members.declineOf", { who })}
          onClick={() => decline.mutate()}
        >
          {t("members.decline")}
        </Button>
      </div>
    </li>
  );
}
