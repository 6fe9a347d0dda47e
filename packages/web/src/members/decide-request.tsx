/** Letting somebody in who asked, or turning them down. */
import type { CommunityJoinRequest } from "@althing/contract";
import { useState } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { ConfirmDialog, TextArea, useToast } from "../ui/index.ts";
import { RoleChoice } from "./role-choice.tsx";
import { useMembersTexts } from "./texts.ts";

interface OfRequest {
  readonly request: CommunityJoinRequest;
  readonly onClose: () => void;
}

const answerMaxChars = 1_000;

export function ApproveDialog({ request: { endpoint, handle }, onClose }: OfRequest) {
  const t = useMembersTexts();
  const toast = useToast();
  const { community, ref } = useCommunity();
  const [chosen, setChosen] = useState<readonly string[]>(["member"]);
  const approve = useAct(
    (client) => client.call("communities.approve", { params: { community: ref, endpoint }, body: { roles: [...chosen] } }),
    {
      changes: ["communities."],
      onDone: () => {
        toast({ text: t("requests.approveDone", { handle }) });
        onClose();
      },
    },
  );
  return (
    <ConfirmDialog
      title={t("requests.approveTitle", { handle })}
      action={t("requests.approve")}
      busy={approve.isPending}
      error={approve.error}
      ready={chosen.length > 0}
      onConfirm={() => approve.mutate()}
      onClose={onClose}
    >
      <p className="text-soft">{t("requests.approveText")}</p>
      <RoleChoice
        held={community.permissions}
        chosen={chosen}
        fault={chosen.length === 0 ? t("roles.needed") : undefined}
        onChange={setChosen}
      />
    </ConfirmDialog>
  );
}

export function DeclineDialog({ request: { endpoint, handle }, onClose }: OfRequest) {
  const t = useMembersTexts();
  const toast = useToast();
  const { ref } = useCommunity();
  const [answer, setAnswer] = useState("");
  const decline = useAct((client) => client.call("communities.decline", { params: { community: ref, endpoint }, body: { answer } }), {
    changes: ["communities."],
    onDone: () => {
      toast({ text: t("requests.declineDone", { handle }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t("requests.declineTitle", { handle })}
      action={t("requests.decline")}
      danger
      busy={decline.isPending}
      error={decline.error}
      onConfirm={() => decline.mutate()}
      onClose={onClose}
    >
      <p className="text-soft">{t("requests.declineText")}</p>
      <TextArea
        label={t("requests.declineAnswer")}
        optional
        maxLength={answerMaxChars}
        value={answer}
        fault={faultsByField(decline.error).get("answer")}
        onChange={({ target }) => setAnswer(target.value)}
      />
    </ConfirmDialog>
  );
}
