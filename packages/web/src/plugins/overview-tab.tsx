/** What a package is: the decision that waits, what it may do, who signed it, and every field of its manifest. */
import { Badge, CopyButton, Facts, Section, Time } from "../ui/index.ts";
import { AskedList } from "./asked-list.tsx";
import { DataFacts, EndpointFacts, LimitFacts } from "./consent-facts.tsx";
import { ConsentPanel } from "./consent-panel.tsx";
import { useConsentTexts } from "./consent-texts.ts";
import { itemsOf } from "./grant-choice.ts";
import type { PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";
import { RiskNote } from "./risk-note.tsx";
import { SignerFacts } from "./signer-facts.tsx";
import { UpgradePanel } from "./upgrade-panel.tsx";

export function OverviewTab({ here }: { readonly here: PackageHere }) {
  const { install } = here;
  const isNew = install.state === "installed";
  return (
    <>
      {isNew && <ConsentPanel key={install.contentHash} here={here} />}
      {install.pending !== undefined && <UpgradePanel key={install.pending.contentHash} here={here} pending={install.pending} />}
      {!isNew && <Granted here={here} />}
      {!isNew && <Signature here={here} />}
      <About here={here} />
      <Pages here={here} />
    </>
  );
}

function Granted({ here: { install, view, effective } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const c = useConsentTexts();
  return (
    <Section title={t("grants.title")} lead={t("grants.lead")}>
      <div className="grid gap-6">
        <RiskNote grants={install.granted} view={view} isTrusted={install.trust.verified} />
        <AskedList
          items={itemsOf(install.declared)}
          view={view}
          effective={effective}
          mark={({ kind, item }) => {
            const isGranted = install.granted[kind].includes(item);
            return <Badge tone={isGranted ? "good" : "plain"}>{c(isGranted ? "granted" : "notGranted")}</Badge>;
          }}
        />
        <DataFacts grants={install.granted} view={view} effective={effective} />
        <LimitFacts view={view} effective={effective} />
        <EndpointFacts view={view} />
      </div>
    </Section>
  );
}

function Signature({ here: { install, view } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  return (
    <Section title={t("trust.title")}>
      <SignerFacts install={install} view={view} />
    </Section>
  );
}

function About({ here: { install, view } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const said = (text: string | undefined) =>
    text === undefined ? <span className="text-soft">{t("about.unknown")}</span> : <bdi className="whitespace-pre-wrap">{text}</bdi>;
  const stage = view.stage === "experimental" || view.stage === "deprecated" ? t(`stages.${view.stage}`) : t("about.stable");
  return (
    <Section title={t("about.title")}>
      <Facts
        facts={[
          [
            t("about.name"),
            <span key="name">
              <bdi>{install.displayName}</bdi> <bdi className="font-mono text-sm text-soft">{install.extension}</bdi>
            </span>,
          ],
          [t("about.description"), said(view.description)],
          [t("about.version"), install.version],
          [
            t("about.publisherId"),
            <span key="publisher">
              <bdi>{view.publisher.name}</bdi> <bdi className="font-mono text-sm break-all text-soft">{view.publisher.id}</bdi>
            </span>,
          ],
          [t("about.stage"), stage],
          [t("about.license"), said(view.license)],
          [t("about.homepage"), <Homepage key="homepage" url={view.homepage} />],
          [t("about.engine"), said(view.engine)],
          [
            t("about.source"),
            install.source.kind === "upload" ? t("about.sourceUpload") : <bdi className="break-all">{install.source.url}</bdi>,
          ],
          [t("about.installed"), <Time key="installed" at={install.createdAt} form="short" />],
          [
            t("about.id"),
            <code key="id" className="break-all">
              {install.id}
            </code>,
          ],
          [
            t("about.hash"),
            <span key="hash" className="grid gap-2">
              <code className="break-all">{install.contentHash}</code>
              <CopyButton text={install.contentHash} label={t("about.copyHash")} />
            </span>,
          ],
        ]}
      />
    </Section>
  );
}

/** Only what a browser opens as a page of the web, and without telling where one comes from. */
function Homepage({ url }: { readonly url: string | undefined }) {
  const t = usePackageTexts();
  if (url === undefined) return <span className="text-soft">{t("about.unknown")}</span>;
  if (!URL.canParse(url) || new URL(url).protocol !== "https:") return <bdi className="break-all">{url}</bdi>;
  return (
    <a href={url} target="_blank" rel="noreferrer noopener" className="break-all underline">
      <bdi>{url}</bdi>
    </a>
  );
}

function Pages({ here: { view } }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const { ui } = view;
  return (
    <Section title={t("pages.title")}>
      {ui === undefined ? (
        <p className="text-soft">{t("pages.none")}</p>
      ) : (
        <Facts
          facts={[
            [
              t("pages.entry"),
              <code key="entry" className="break-all">
                {ui.entry}
              </code>,
            ],
            [
              t("pages.nav"),
              <ul key="nav" className="grid gap-1">
                {ui.nav.map(({ label, path, permission }) => (
                  <li key={`${label} ${path}`}>
                    <bdi>{label}</bdi> <code>{path}</code>{" "}
                    <span className="text-sm text-soft">
                      {permission === undefined ? t("pages.open") : t("pages.permission", { permission })}
                    </span>
                  </li>
                ))}
              </ul>,
            ],
          ]}
        />
      )}
    </Section>
  );
}
