/**
 * The catalogue: packages of this community, and what the instance's registry offers.
 *
 * Invariant: why a package does not run is said on its row, with the rule; what can be installed is shown to whoever may read, the way to install only to
 * whoever may install.
 */
import { extensionIdSchema, installIdSchema, type Install, type RouteResponse } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useDeferredValue, useState, type ReactNode } from "react";
import { usePages, useRead, type PagesResult } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { ThoseWhoCan } from "../app/people.tsx";
import { Badge, EmptyState, LinkButton, ListState, Page, SearchField, Section } from "../ui/index.ts";
import { upgradeOf } from "./install-state.ts";
import { viewOfManifest } from "./manifest-view.ts";
import { MoodBadge, SignatureBadge } from "./package-badges.tsx";
import { PluginsHeader } from "./plugin-tabs.tsx";
import { usePluginTexts } from "./texts.ts";

const offersPage = 50;

const matches = (search: string, ...texts: readonly (string | undefined)[]): boolean =>
  texts.some((text) => text?.toLocaleLowerCase().includes(search.toLocaleLowerCase()));

export function PackagesPage() {
  const t = usePluginTexts();
  const { ref, can } = useCommunity();
  const [typed, setTyped] = useState("");
  const search = useDeferredValue(typed.trim());
  const installs = usePages(
    "packages.list",
    (after) => ({ params: { community: ref }, query: { limit: 200, after: installIdSchema.optional().parse(after) } }),
    ({ packages, next }) => ({ rows: packages, next }),
  );
  const mayInstall = can("plugins.packages.manage");
  return (
    <Page>
      <PluginsHeader
        lead={t("packages.lead")}
        actions={
          mayInstall && (
            <LinkButton to="/c/$community/plugins/install" params={{ community: ref }}>
              {t("packages.install")}
            </LinkButton>
          )
        }
      />
      <SearchField label={t("packages.search")} value={typed} onChange={setTyped} />
      <Installed installs={installs} search={search} mayInstall={mayInstall} />
      <Offered installs={installs.rows} search={search} mayInstall={mayInstall} />
    </Page>
  );
}

type PackageSummary = RouteResponse<"registry.list">["packages"][number];

function Installed({
  installs,
  search,
  mayInstall,
}: {
  readonly installs: PagesResult<Install>;
  readonly search: string;
  readonly mayInstall: boolean;
}) {
  const t = usePluginTexts();
  const { ref } = useCommunity();
  const policy = useRead("policy.get", { params: { community: ref } });
  const offers = useRead("registry.list", { query: { limit: 200 } });
  const shown = installs.rows.filter((install) =>
    matches(search, install.extension, install.displayName, viewOfManifest(install.manifest).publisher.name),
  );
  const offerOf = (install: Install) => {
    const latest = offers.data?.packages.find(({ name }) => name === install.extension)?.latest;
    return latest === undefined ? undefined : upgradeOf(install, [latest]);
  };
  return (
    <Section title={t("packages.installed")}>
      <ListState
        list={installs}
        waiting={{ height: "h-56 sm:h-30" }}
        empty={
          <EmptyState title={t("packages.emptyTitle")}>
            <p>{t("packages.empty")}</p>
            {!mayInstall && (
              <p className="mt-2">
                <ThoseWhoCan permission="plugins.packages.manage" text={t("packages.emptyReader")} />
              </p>
            )}
          </EmptyState>
        }
      >
        {shown.length === 0 && <p className="text-soft">{t("packages.noMatch", { search })}</p>}
        <ul className="grid gap-3">
          {shown.map((install) => (
            <InstalledRow
              key={install.id}
              install={install}
              upgrade={offerOf(install)?.version}
              listed={policy.data?.effective.values.trustedPublishers}
            />
          ))}
        </ul>
      </ListState>
    </Section>
  );
}

function InstalledRow({
  install,
  upgrade,
  listed,
}: {
  readonly install: Install;
  readonly upgrade: string | undefined;
  readonly listed: readonly string[] | undefined;
}) {
  const t = usePluginTexts();
  const { ref } = useCommunity();
  const view = viewOfManifest(install.manifest);
  return (
    <PackageRow
      name={
        <Link to="/c/$community/plugins/packages/$extension" params={{ community: ref, extension: install.extension }}>
          <bdi>{install.displayName}</bdi>
        </Link>
      }
      id={install.extension}
      version={install.version}
      publisher={view.publisher.name}
      description={view.description}
      badges={
        <>
          <MoodBadge install={install} />
          <SignatureBadge trust={install.trust} listed={listed} />
          {upgrade !== undefined && <Badge tone="accent">{t("packages.upgradeTo", { version: upgrade })}</Badge>}
        </>
      }
      notes={
        <>
          {install.blocked !== undefined && (
            <p className="text-sm text-bad">
              {t("blockedBy")}: <bdi>{install.blocked.text}</bdi> {t("rule")}: <bdi>{install.blocked.rule}</bdi>. {t("who")}:{" "}
              <bdi>{install.blocked.who}</bdi>
            </p>
          )}
          {install.quarantine !== undefined && (
            <p className="text-sm text-bad">
              <bdi>{install.quarantine.reason}</bdi>
            </p>
          )}
        </>
      }
    />
  );
}

interface RowProps {
  readonly name: ReactNode;
  readonly id: string;
  readonly version: string;
  readonly publisher: string;
  readonly description: string | undefined;
  readonly badges: ReactNode;
  readonly notes?: ReactNode;
  readonly action?: ReactNode;
}

function PackageRow({ name, id, version, publisher, description, badges, notes, action }: RowProps) {
  const t = usePluginTexts();
  return (
    <li className="grid gap-2 rounded-lg border border-line p-4 sm:grid-cols-[minmax(0,1fr)_auto] sm:items-start">
      <div className="grid min-w-0 gap-1.5">
        <h3 className="text-lg font-semibold">{name}</h3>
        <p className="text-sm text-soft">
          <bdi className="font-mono">{id}</bdi> · {t("packages.version", { version })} · {t("packages.by")} <bdi>{publisher}</bdi>
        </p>
        <p className="line-clamp-3">
          {description === undefined ? <span className="text-soft">{t("packages.noDescription")}</span> : <bdi>{description}</bdi>}
        </p>
        {notes}
      </div>
      <div className="flex flex-wrap items-center gap-2 sm:max-w-60 sm:justify-end">
        {badges}
        {action}
      </div>
    </li>
  );
}

function Offered({
  installs,
  search,
  mayInstall,
}: {
  readonly installs: readonly Install[];
  readonly search: string;
  readonly mayInstall: boolean;
}) {
  const t = usePluginTexts();
  const offers = usePages(
    "registry.list",
    (after) => ({ query: { limit: offersPage, after: extensionIdSchema.optional().parse(after), ...(search === "" ? {} : { search }) } }),
    ({ packages, next }) => ({ rows: packages, next }),
  );
  const rows = offers.rows.filter(
    ({ name, latest }) => !installs.some((install) => install.extension === name && upgradeOf(install, [latest]) === undefined),
  );
  return (
    <Section title={t("packages.offered")} lead={t("packages.offeredLead")}>
      <ListState
        list={offers}
        empty={<p className="text-soft">{search === "" ? t("packages.offersEmpty") : t("packages.offersNoMatch", { search })}</p>}
      >
        {rows.length === 0 && offers.hasMore !== true && <p className="text-soft">{t("packages.offersAllHere")}</p>}
        <ul className="grid gap-3">
          {rows.map((offer) => (
            <OfferedRow key={offer.name} offer={offer} mayInstall={mayInstall} />
          ))}
        </ul>
      </ListState>
    </Section>
  );
}

function OfferedRow({ offer: { name, latest, versions }, mayInstall }: { readonly offer: PackageSummary; readonly mayInstall: boolean }) {
  const t = usePluginTexts();
  const { ref } = useCommunity();
  return (
    <PackageRow
      name={<bdi>{latest.displayName}</bdi>}
      id={name}
      version={latest.version}
      publisher={latest.publisher.name}
      description={latest.description}
      badges={
        <>
          <SignatureBadge trust={latest.trust} />
          {latest.deprecated !== undefined && <Badge tone="note">{t("packages.deprecated")}</Badge>}
          <Badge>{t("packages.versions", { count: versions })}</Badge>
        </>
      }
      notes={
        latest.deprecated !== undefined && (
          <p className="text-sm text-note">
            <bdi>{latest.deprecated}</bdi>
          </p>
        )
      }
      action={
        mayInstall && (
          <LinkButton tone="quiet" to="/c/$community/plugins/install/$extension" params={{ community: ref, extension: name }}>
            {t("packages.choose", { version: latest.version })}
          </LinkButton>
        )
      }
    />
  );
}
