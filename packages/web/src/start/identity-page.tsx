/** One's identity on this instance: who one is, how the page looks, the backup, other devices, safety numbers, and the way out. */
import type { User } from "@althing/contract";
import { useState } from "react";
import { languages, type Language } from "../app/i18n.ts";
import { chosenScheme, chooseScheme, schemes, type Scheme } from "../app/scheme.ts";
import { useSession, useSessionStore } from "../app/session.tsx";
import { useAct, useRead } from "../app/calls.ts";
import { Badge, Button, Card, ChoiceField, CopyButton, Facts, Page, PageHeader, Refusal, Section, SelectField, Time } from "../ui/index.ts";
import { SafetyNumber } from "./safety-number.tsx";
import { useStartTexts } from "./texts.ts";
import { useTask } from "./use-task.ts";
import { WipeButton } from "./wipe-button.tsx";

export function IdentityPage() {
  const t = useStartTexts();
  return (
    <Page>
      <PageHeader title={t("identity.title")} lead={t("identity.lead")} />
      <Who />
      <Backup />
      <SafetyNumber />
      <Look />
      <SignOut />
    </Page>
  );
}

function Who() {
  const t = useStartTexts();
  const { user: entered } = useSession();
  const user = useRead("me.get").data ?? entered;
  return (
    <Section title={t("identity.who")}>
      <div className="grid gap-4">
        <Facts
          facts={[
            [
              t("identity.handle"),
              <bdi key="handle" className="font-semibold">
                {user.handle}
              </bdi>,
            ],
            [
              t("identity.role"),
              <Badge key="role" tone={user.role === "admin" ? "accent" : "plain"}>
                {user.role === "admin" ? t("identity.roleAdmin") : t("identity.roleMember")}
              </Badge>,
            ],
            [t("identity.since"), <Time key="since" at={user.createdAt} form="short" />],
            [
              t("identity.endpoint"),
              <div key="endpoint" className="grid gap-2">
                <code className="break-all">{user.endpoint}</code>
                <p className="text-sm text-soft">{t("identity.endpointHint")}</p>
                <CopyButton text={user.endpoint} label={t("identity.copyEndpoint")} />
              </div>,
            ],
            [
              t("identity.signKey"),
              <code key="sign" className="break-all">
                {user.signPub}
              </code>,
            ],
            [
              t("identity.kexKey"),
              <code key="kex" className="break-all">
                {user.keys?.kexPub ?? "–"}
              </code>,
            ],
          ]}
        />
        <KeyCard user={user} />
      </div>
    </Section>
  );
}

/** Says so when the server tells others another key than this browser has. */
function KeyCard({ user }: { readonly user: User }) {
  const t = useStartTexts();
  const { identity } = useSession();
  const publish = useAct((client) => client.publishKeys(), { changes: ["me.get"] });
  if (user.keys?.kexPub === identity.kexPub) return null;
  return (
    <Card tone="note" className="grid gap-3">
      <p>{user.keys === undefined ? t("identity.keyMissing") : t("identity.keyDiffers")}</p>
      {publish.error !== null && <Refusal error={publish.error} />}
      <div>
        <Button busy={publish.isPending} onClick={() => publish.mutate()}>
          {t("identity.publish")}
        </Button>
      </div>
    </Card>
  );
}

function Backup() {
  const t = useStartTexts();
  return (
    <Section title={t("identity.backup")} lead={t("identity.backupLead")}>
      <div className="grid max-w-prose gap-4">
        <p>{t("identity.backupWhere")}</p>
        <h3 className="text-lg font-bold">{t("identity.device")}</h3>
        <ol className="grid list-decimal gap-1 ps-6">
          <li>
            {t("identity.deviceSteps1")} <code className="break-all">{location.origin}</code>
          </li>
          <li>{t("identity.deviceSteps2")}</li>
          <li>{t("identity.deviceSteps3")}</li>
        </ol>
      </div>
    </Section>
  );
}

const languageNames = Object.entries(languages).map(([value, { name }]) => ({ value, label: name }));

function isLanguage(value: string): value is Language {
  return Object.hasOwn(languages, value);
}

/** The language is read once, when the page starts. */
function chooseLanguage(value: string): void {
  if (!isLanguage(value)) return;
  const address = new URL(location.href);
  address.searchParams.set("lang", value);
  location.assign(address);
}

function Look() {
  const t = useStartTexts();
  const [scheme, setScheme] = useState<Scheme>(chosenScheme);
  const names: Readonly<Record<Scheme, string>> = {
    system: t("identity.schemeSystem"),
    light: t("identity.schemeLight"),
    dark: t("identity.schemeDark"),
  };
  const choose = (value: string) => {
    const found = schemes.find((one) => one === value);
    if (found === undefined) return;
    chooseScheme(found);
    setScheme(found);
  };
  return (
    <Section title={t("identity.look")}>
      <div className="grid gap-6 sm:grid-cols-2">
        <ChoiceField
          label={t("identity.scheme")}
          name="scheme"
          value={scheme}
          options={schemes.map((value) => ({ value, label: names[value] }))}
          onChange={choose}
        />
        <SelectField
          label={t("identity.language")}
          hint={t("identity.languageHint")}
          value={document.documentElement.lang}
          options={languageNames}
          onChange={({ target }) => chooseLanguage(target.value)}
        />
      </div>
    </Section>
  );
}

function SignOut() {
  const t = useStartTexts();
  const { user } = useSession();
  const store = useSessionStore();
  const leave = useTask(() => store.leave({ wipe: false }));
  return (
    <Section title={t("identity.signOut")} lead={t("identity.signOutLead")}>
      <div className="grid gap-3">
        {leave.error !== null && <Refusal error={leave.error} />}
        <div className="flex flex-wrap items-start gap-3">
          <Button busy={leave.isPending} onClick={() => leave.mutate()}>
            {t("identity.keep")}
          </Button>
          <WipeButton handle={user.handle} />
        </div>
        <p className="text-sm text-soft">{t("identity.keepHint")}</p>
      </div>
    </Section>
  );
}
