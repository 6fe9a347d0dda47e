/** Ending the community: what is lost, and its name typed as the one confirmation. */
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, ConfirmDialog, Section, TextField, useToast } from "../ui/index.ts";
import { useMembersTexts } from "./texts.ts";

export function CloseSection({ isOwner }: { readonly isOwner: boolean }) {
  const t = useMembersTexts();
  const [isOpen, setIsOpen] = useState(false);
  return (
    <Section title={t("settings.close")} lead={t("settings.closeLead")}>
      {isOwner ? (
        <Button tone="danger" onClick={() => setIsOpen(true)}>
          {t("settings.close")}
        </Button>
      ) : (
        <p>{t("settings.closeOwners")}</p>
      )}
      {isOpen && <CloseDialog onClose={() => setIsOpen(false)} />}
    </Section>
  );
}

function CloseDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useMembersTexts();
  const toast = useToast();
  const navigate = useNavigate();
  const { community, ref } = useCommunity();
  const [typed, setTyped] = useState("");
  const end = useAct((client) => client.call("communities.delete", { params: { community: ref } }), {
    changes: ["communities.list"],
    onDone: () => {
      toast({ text: t("settings.closed") });
      void navigate({ to: "/" });
    },
  });
  return (
    <ConfirmDialog
      title={t("settings.close")}
      action={t("settings.closeAction")}
      danger
      busy={end.isPending}
      error={end.error}
      ready={typed.trim() === community.name}
      onConfirm={() => end.mutate()}
      onClose={onClose}
    >
      <p>{t("settings.closeText")}</p>
      <p>{t("settings.closeNeeds")}</p>
      <TextField
        label={t("settings.closeType", { name: community.name })}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={typed}
        onChange={({ target }) => setTyped(target.value)}
      />
    </ConfirmDialog>
  );
}
