/** The number that two people compare to know that nobody stands between them. */
import type { Room } from "@althing/contract";
import type { RoomHandle } from "@althing/client";
import { useQuery } from "@tanstack/react-query";
import { Actions, Button, Dialog, Refusal, Skeleton, useToast } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";
import { useRoomStores } from "./use-room.ts";

export function SafetyDialog({
  who,
  room,
  handle,
  onClose,
}: {
  readonly who: string;
  readonly room: Room;
  readonly handle: RoomHandle;
  readonly onClose: () => void;
}) {
  const t = useRoomTexts();
  const { warnings } = useRoomStores();
  const toast = useToast();
  const number = useQuery({ queryKey: ["rooms.safety", room.id, who], queryFn: () => handle.safetyNumber(who) });
  const compared = () => {
    if (warnings.of(room.id).some(({ error }) => error === undefined)) toast({ text: t("safety.confirmed") });
    warnings.compared(room.id);
    onClose();
  };
  return (
    <Dialog title={t("safety.title", { who })} onClose={onClose}>
      <p>{t("safety.text")}</p>
      {number.isError ? (
        <Refusal error={number.error} onRetry={() => void number.refetch()} />
      ) : number.isPending ? (
        <Skeleton rows={1} height="h-28" />
      ) : (
        <ol
          dir="ltr"
          aria-label={t("safety.title", { who })}
          className="grid grid-cols-3 gap-x-4 gap-y-2 rounded-lg bg-raised p-4 text-center font-mono text-lg tracking-wider tabular-nums sm:grid-cols-4 sm:text-xl"
        >
          {number.data.split(" ").map((group, at) => (
            <li key={at}>{group}</li>
          ))}
        </ol>
      )}
      <ol className="grid list-decimal gap-1 ps-6">
        <li>{t("safety.how1")}</li>
        <li>{t("safety.how2", { who })}</li>
        <li>{t("safety.how3")}</li>
      </ol>
      <p className="text-sm text-soft">{t("safety.differ")}</p>
      <Actions>
        <Button disabled={!number.isSuccess} onClick={compared}>
          {t("safety.same")}
        </Button>
      </Actions>
    </Dialog>
  );
}
