/**
 * The pages of one package of a community.
 *
 * Invariant: what stands in its way (consent, policy, quarantine) is said above every tab, with who can change it; the switch shows what the hub confirmed.
 */
import type { Install } from "@althing/contract";
import { Link, useParams } from "@tanstack/react-router";
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { EmptyState, Page, PageHeader, PageTabs, Refusal, Skeleton } from "../ui/index.ts";
import { viewOfManifest } from "./manifest-view.ts";
import { MoodBadge, SignatureBadge } from "./package-badges.tsx";
import type { PackageHere } from "./package-here.ts";
import { PowerSwitch, Troubles } from "./package-state.tsx";
import { packageTabs, shownTabs, TabBody } from "./package-tabs.tsx";
import { usePackageTexts } from "./package-texts.ts";

function usePackageHere() {
  const { ref, can } = useCommunity();
  const { extension = "" } = useParams({ strict: false });
  const read = useRead("packages.get", { params: { community: ref, install: extension } });
  const policy = useRead("policy.get", { params: { community: ref } });
  const install = read.data;
  const known = install === undefined ? undefined : hereOf(install, ref, can);
  const here: PackageHere | undefined = known === undefined ? undefined : { ...known, effective: policy.data?.effective };
  return { here, error: read.error, retry: () => void read.refetch(), policy };
}

function hereOf(install: Install, community: string, can: ReturnType<typeof useCommunity>["can"]): Omit<PackageHere, "effective"> {
  return {
    install,
    view: viewOfManifest(install.manifest),
    params: { community, install: install.id },
    mayManage: can("plugins.packages.manage"),
    maySet: can("plugins.settings.manage"),
  };
}

export function PackagePage() {
  const t = usePackageTexts();
  const { ref } = useCommunity();
  const { here, error, retry, policy } = usePackageHere();
  const { extension = "", tab = "overview" } = useParams({ strict: false });
  const above = (
    <Link to="/c/$community/plugins" params={{ community: ref }}>
      {t("above")}
    </Link>
  );
  if (here === undefined)
    return (
      <Page>
        <PageHeader title={extension} above={above} />
        {error === null ? <Skeleton rows={4} /> : <Refusal error={error} onRetry={retry} />}
      </Page>
    );
  const known = packageTabs.find((one) => one === tab);
  return (
    <Page>
      <Header here={here} />
      <Troubles here={here} />
      {policy.error !== null && <Refusal title={t("policyUnread")} error={policy.error} onRetry={() => void policy.refetch()} />}
      <PageTabs
        label={t("tabsLabel")}
        tabs={shownTabs(here).map((one) => {
          const params = { community: ref, extension: here.install.extension };
          return one === "overview"
            ? { name: t("tabs.overview"), to: "/c/$community/plugins/packages/$extension", params }
            : { name: t(`tabs.${one}`), to: "/c/$community/plugins/packages/$extension/$tab", params: { ...params, tab: one } };
        })}
      />
      {known === undefined ? <EmptyState title={t("noTab")} /> : <TabBody key={known} tab={known} here={here} />}
    </Page>
  );
}

function Header({ here }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const { ref } = useCommunity();
  const { install, view, effective } = here;
  return (
    <PageHeader
      title={install.displayName}
      isGiven
      above={
        <Link to="/c/$community/plugins" params={{ community: ref }}>
          {t("above")}
        </Link>
      }
      lead={
        <span className="grid gap-2">
          <span>
            <bdi className="font-mono text-sm">{install.extension}</bdi> · {t("version", { version: install.version })} ·{" "}
            <bdi>{view.publisher.name}</bdi>
          </span>
          <span className="flex flex-wrap gap-2">
            <MoodBadge install={install} />
            <SignatureBadge trust={install.trust} listed={effective?.values.trustedPublishers} />
          </span>
        </span>
      }
      actions={<PowerSwitch here={here} />}
    />
  );
}
