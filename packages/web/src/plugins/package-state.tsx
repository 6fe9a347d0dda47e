/** Whether a package runs: the switch, and whatever keeps it from running. */
import type { Install } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useAct, useRead } from "../app/calls.ts";
import { useIsOffered } from "./use-is-offered.ts";
import { useCommunity } from "../app/community.tsx";
import { relativeTime } from "../app/times.ts";
import { Actions, Button, Card, LinkButton, Refusal, useToast } from "../ui/index.ts";
import { upgradeOf } from "./install-state.ts";
import { packageChanges, type PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";
import { usePluginTexts } from "./texts.ts";

/** On and off, at once. */
export function PowerSwitch({ here: { install, params, mayManage } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const toast = useToast();
  const { ref } = useCommunity();
  const isOn = install.state === "active";
  const change = useAct((client, active: boolean) => client.call("packages.change", { params, body: { active } }), {
    changes: packageChanges,
    onDone: (after: Install) => toast({ text: t(after.state === "active" ? "switchedOn" : "switchedOff", { name: after.displayName }) }),
  });
  const canSwitch = mayManage && install.state !== "installed" && install.state !== "quarantined";
  return (
    <div className="grid justify-items-end gap-2">
      <div className="flex flex-wrap gap-2">
        {install.uiUrl !== undefined && isOn && (
          <LinkButton tone="quiet" to="/c/$community/x/$extension/$" params={{ community: ref, extension: install.extension, _splat: "" }}>
            {t("openPages")}
          </LinkButton>
        )}
        {canSwitch && (
          <Button tone={isOn ? "quiet" : "primary"} busy={change.isPending} onClick={() => change.mutate(!isOn)}>
            {t(isOn ? "switchOff" : "switchOn")}
          </Button>
        )}
      </div>
      {change.isError && <Refusal error={change.error} />}
    </div>
  );
}

export function Troubles({ here }: { readonly here: PackageHere }) {
  const { install } = here;
  return (
    <>
      {install.blocked !== undefined && <Blocked blocked={install.blocked} />}
      {install.quarantine !== undefined && <Quarantined here={here} quarantine={install.quarantine} />}
      {here.mayManage && <UpgradeOffer here={here} />}
    </>
  );
}

function Blocked({ blocked }: { readonly blocked: NonNullable<Install["blocked"]> }) {
  const t = usePackageTexts();
  const { ref } = useCommunity();
  return (
    <Card tone="bad">
      <div role="alert" className="grid gap-1">
        <p className="font-semibold">{t("blocked")}</p>
        <p>
          <bdi>{blocked.text}</bdi>
        </p>
        <p className="text-sm">
          {t("rule")}: <bdi className="font-mono">{blocked.rule}</bdi>. {t("who")}: <bdi>{blocked.who}</bdi>.
        </p>
        <p className="text-sm">
          {t("blockedNext")}{" "}
          <Link to="/c/$community/plugins/policy" params={{ community: ref }} className="underline">
            {t("toPolicy")}
          </Link>
        </p>
      </div>
    </Card>
  );
}

function Quarantined({
  here: { install, params, mayManage },
  quarantine,
}: {
  readonly here: PackageHere;
  readonly quarantine: NonNullable<Install["quarantine"]>;
}) {
  const t = usePackageTexts();
  const toast = useToast();
  const retry = useAct((client) => client.call("packages.retry", { params, body: {} }), {
    changes: packageChanges,
    onDone: () => toast({ text: t("retried", { name: install.displayName }) }),
  });
  return (
    <Card tone="bad">
      <div role="alert" className="grid gap-2">
        <p className="font-semibold">{t("quarantined", { time: relativeTime(quarantine.at) })}</p>
        <p>
          <bdi>{quarantine.reason}</bdi>
        </p>
        <p>
          <strong>{t("quarantineHint")}:</strong> <bdi>{quarantine.hint}</bdi>
        </p>
      </div>
      {retry.isError && <Refusal error={retry.error} />}
      {mayManage && (
        <div className="mt-3">
          <Button busy={retry.isPending} onClick={() => retry.mutate()}>
            {t("retry")}
          </Button>
        </div>
      )}
    </Card>
  );
}

/** A newer version in the instance's own registry. */
function UpgradeOffer({ here: { install, params } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const p = usePluginTexts();
  const toast = useToast();
  const isOffered = useIsOffered(install.extension);
  const offers = useRead("registry.get", { params: { name: install.extension } }, { enabled: isOffered });
  const upgrade = upgradeOf(install, offers.data?.versions ?? []);
  const get = useAct(
    (client, version: string) =>
      client.call("packages.installRegistry", {
        params: { community: params.community },
        body: { url: `registry:${install.extension}`, version },
      }),
    {
      changes: packageChanges,
      onDone: (after: Install) =>
        toast({
          text:
            after.pending === undefined
              ? t("upgradeDone", { name: after.displayName, version: after.version })
              : p("install.pendingToast", { name: after.displayName, version: after.pending.version }),
        }),
    },
  );
  if (upgrade === undefined) return null;
  return (
    <Card>
      <div className="grid gap-3">
        <p>{t("upgradeOffered", { version: upgrade.version })}</p>
        {get.isError && <Refusal error={get.error} />}
        <Actions>
          <Button tone="quiet" busy={get.isPending} onClick={() => get.mutate(upgrade.version)}>
            {t("upgradeGet", { version: upgrade.version })}
          </Button>
        </Actions>
      </div>
    </Card>
  );
}
