/** Uninstalls a package, with or without everything it kept. */
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { ThoseWhoCan } from "../app/people.tsx";
import { Button, ChoiceField, ConfirmDialog, EmptyState, Section, TextField, useToast } from "../ui/index.ts";
import type { PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";

type Data = "keep" | "purge";

export function RemoveTab({ here }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const [data, setData] = useState<Data>("keep");
  const [isAsking, setIsAsking] = useState(false);
  if (!here.mayManage)
    return (
      <EmptyState title={t("remove.notAllowed")}>
        <p>
          <ThoseWhoCan permission="plugins.packages.manage" />
        </p>
      </EmptyState>
    );
  return (
    <Section title={t("remove.title")} lead={t("remove.lead")}>
      <div className="grid gap-5">
        <ChoiceField
          label={t("remove.what")}
          name="data"
          value={data}
          options={[
            { value: "keep", label: t("remove.keep"), hint: t("remove.keepHint") },
            { value: "purge", label: t("remove.purge"), hint: t("remove.purgeHint") },
          ]}
          onChange={(value) => setData(value === "purge" ? "purge" : "keep")}
        />
        <div>
          <Button tone="danger" onClick={() => setIsAsking(true)}>
            {t(data === "purge" ? "remove.actionPurge" : "remove.actionKeep")}
          </Button>
        </div>
      </div>
      {isAsking && <RemoveDialog here={here} data={data} onClose={() => setIsAsking(false)} />}
    </Section>
  );
}

function RemoveDialog({
  here: { install, params },
  data,
  onClose,
}: {
  readonly here: PackageHere;
  readonly data: Data;
  readonly onClose: () => void;
}) {
  const t = usePackageTexts();
  const toast = useToast();
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const name = install.displayName;
  const remove = useAct(
    async (client) => {
      await client.call("packages.remove", { params, query: { data } });
      toast({ text: t("remove.done", { name }) });
      // Before anything of it is read again: it is gone.
      await navigate({ to: "/c/$community/plugins", params: { community: params.community } });
    },
    { changes: ["packages.list", "packages.pages"] },
  );
  return (
    <ConfirmDialog
      danger
      title={t(data === "purge" ? "remove.titlePurge" : "remove.titleKeep", { name })}
      action={t(data === "purge" ? "remove.actionPurge" : "remove.actionKeep")}
      busy={remove.isPending}
      error={remove.error}
      ready={data === "keep" || typed.trim() === install.extension}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <p>{t(data === "purge" ? "remove.purgeText" : "remove.keepText")}</p>
      {data === "purge" && (
        <TextField
          label={t("remove.typeName", { name: install.extension })}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      )}
    </ConfirmDialog>
  );
}
