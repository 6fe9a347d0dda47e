/**
 * Secrets of a package: which there are, and the way to set, replace and forget them.
 *
 * Invariant: a value is written and never read: it leaves the page's memory when it was sent, and no form is ever filled with one.
 */
import { faultsByField, useAct } from "../app/calls.ts";
import { useState } from "react";
import { fromLocalInput, relativeTime } from "../app/times.ts";
import { Actions, Badge, Button, ConfirmDialog, Dialog, Refusal, Section, TextArea, TextField, useToast } from "../ui/index.ts";
import { packageChanges, type PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";
import { entriesOf } from "./policy-draft.ts";

interface SecretRow {
  readonly name: string;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly isNeeded: boolean;
  readonly setAt: string | undefined;
  readonly hosts: readonly string[];
}

function rowsOf({ install, view }: PackageHere): readonly SecretRow[] {
  const stored = new Map(install.secrets.map((secret) => [secret.name, secret]));
  const declared = view.secrets.map((secret) => ({
    ...secret,
    setAt: stored.get(secret.name)?.setAt,
    hosts: stored.get(secret.name)?.hosts ?? [],
  }));
  const others = install.secrets.filter(({ name }) => !view.secrets.some((secret) => secret.name === name));
  return [
    ...declared,
    ...others.map(({ name, setAt, hosts }) => ({ name, title: undefined, description: undefined, isNeeded: false, setAt, hosts })),
  ];
}

export function SecretsSection({ here }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const [edited, setEdited] = useState<SecretRow | "another">();
  const [forgotten, setForgotten] = useState<string>();
  const rows = rowsOf(here);
  const another = here.maySet && (
    <Button tone="quiet" onClick={() => setEdited("another")}>
      {t("settings.another")}
    </Button>
  );
  return (
    <Section title={t("settings.secrets")} lead={t("settings.secretsLead")} actions={another}>
      {rows.length === 0 && <p className="text-soft">{t("settings.noSecrets")}</p>}
      <ul className="grid gap-3">
        {rows.map((row) => (
          <SecretItem key={row.name} row={row} maySet={here.maySet} onEdit={() => setEdited(row)} onForget={() => setForgotten(row.name)} />
        ))}
      </ul>
      {edited !== undefined && (
        <SecretDialog here={here} row={edited === "another" ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
      {forgotten !== undefined && <ForgetDialog here={here} name={forgotten} onClose={() => setForgotten(undefined)} />}
    </Section>
  );
}

function SecretItem({
  row,
  maySet,
  onEdit,
  onForget,
}: {
  readonly row: SecretRow;
  readonly maySet: boolean;
  readonly onEdit: () => void;
  readonly onForget: () => void;
}) {
  const t = usePackageTexts();
  const isSet = row.setAt !== undefined;
  return (
    <li className="flex flex-wrap items-start justify-between gap-3 rounded-lg border border-line p-3">
      <div className="grid min-w-0 gap-1">
        <p className="flex flex-wrap items-center gap-2">
          <bdi className="font-semibold">{row.title ?? row.name}</bdi>
          <Badge tone={isSet ? "good" : row.isNeeded ? "note" : "plain"}>
            {t(isSet ? "settings.isSet" : row.isNeeded ? "settings.neededMark" : "settings.isNotSet")}
          </Badge>
        </p>
        {row.title !== undefined && <bdi className="font-mono text-sm text-soft">{row.name}</bdi>}
        {row.description !== undefined && <bdi className="text-sm text-soft">{row.description}</bdi>}
        {row.setAt !== undefined && <p className="text-sm text-soft">{t("settings.setAt", { time: relativeTime(row.setAt) })}</p>}
        {isSet && (
          <p className="text-sm text-soft">
            {row.hosts.length === 0 ? t("settings.noHosts") : t("settings.hosts", { hosts: row.hosts.join(", ") })}
          </p>
        )}
      </div>
      {maySet && (
        <Actions>
          <Button tone="quiet" onClick={onEdit}>
            {t(isSet ? "settings.replace" : "settings.set", { name: row.name })}
          </Button>
          {isSet && (
            <Button tone="plain" onClick={onForget}>
              {t("settings.forget", { name: row.name })}
            </Button>
          )}
        </Actions>
      )}
    </li>
  );
}

interface Typed {
  readonly name: string;
  readonly value: string;
  readonly hosts: string;
  readonly expires: string;
}

function SecretDialog({
  here: { install, params },
  row,
  onClose,
}: {
  readonly here: PackageHere;
  readonly row: SecretRow | undefined;
  readonly onClose: () => void;
}) {
  const t = usePackageTexts();
  const toast = useToast();
  const [typed, setTyped] = useState<Typed>({ name: row?.name ?? "", value: "", hosts: row?.hosts.join("\n") ?? "", expires: "" });
  const [isTried, setIsTried] = useState(false);
  const set = (part: Partial<Typed>) => setTyped((before) => ({ ...before, ...part }));
  const save = useAct(
    (client, { name, value, hosts, expires }: Typed) => {
      const expiresAt = expires === "" ? undefined : fromLocalInput(expires);
      const secret = { value, hosts: entriesOf(hosts), ...(expiresAt === undefined ? {} : { expiresAt }) };
      return client.call("packages.change", { params, body: { secrets: { [name]: secret } } }, { ifMatch: String(install.revision) });
    },
    {
      changes: packageChanges,
      onDone: () => {
        toast({ text: t("settings.saved", { name: typed.name }) });
        onClose();
      },
    },
  );
  const faults = faultsByField(save.error);
  const isName = /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(typed.name);
  const name = typed.name === "" ? t("settings.another") : typed.name;
  return (
    <Dialog title={t(row?.setAt === undefined ? "settings.set" : "settings.replace", { name })} onClose={onClose}>
      <form
        noValidate
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          setIsTried(true);
          if (isName && typed.value !== "") save.mutate(typed);
        }}
      >
        {row === undefined && (
          <TextField
            label={t("settings.anotherName")}
            hint={t("settings.anotherHint")}
            fault={isTried && !isName ? t("settings.badName") : undefined}
            autoComplete="off"
            value={typed.name}
            onChange={(event) => set({ name: event.target.value })}
          />
        )}
        <TextField
          label={t("settings.value", { name })}
          hint={t("settings.valueHint")}
          fault={isTried && typed.value === "" ? t("settings.needValue") : faults.get(`secrets.${typed.name}`)}
          type="password"
          autoComplete="off"
          value={typed.value}
          onChange={(event) => set({ value: event.target.value })}
        />
        <TextArea
          label={t("settings.hostList")}
          optional
          hint={t("settings.hostListHint")}
          rows={3}
          fault={faults.get(`secrets.${typed.name}.hosts`)}
          value={typed.hosts}
          onChange={(event) => set({ hosts: event.target.value })}
        />
        <TextField
          label={t("settings.expires")}
          optional
          type="datetime-local"
          value={typed.expires}
          onChange={(event) => set({ expires: event.target.value })}
        />
        {save.isError && <Refusal error={save.error} />}
        <Actions>
          <Button type="submit" busy={save.isPending}>
            {t("settings.keep")}
          </Button>
          <Button tone="quiet" onClick={onClose}>
            {t("settings.cancel")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

function ForgetDialog({
  here: { install, params },
  name,
  onClose,
}: {
  readonly here: PackageHere;
  readonly name: string;
  readonly onClose: () => void;
}) {
  const t = usePackageTexts();
  const toast = useToast();
  const forget = useAct(
    (client) => client.call("packages.change", { params, body: { secrets: { [name]: null } } }, { ifMatch: String(install.revision) }),
    {
      changes: packageChanges,
      onDone: () => {
        toast({ text: t("settings.forgotten", { name }) });
        onClose();
      },
    },
  );
  return (
    <ConfirmDialog
      danger
      title={t("settings.forgetTitle", { name })}
      action={t("settings.forget", { name })}
      busy={forget.isPending}
      error={forget.error}
      onConfirm={() => forget.mutate()}
      onClose={onClose}
    >
      <p>{t("settings.forgetText")}</p>
    </ConfirmDialog>
  );
}
