/**
 * The page around an extension's frame: its name, the ways within it, and what stopped it where it cannot be shown.
 *
 * Invariant: an address is one of the extension's own paths or no page at all; a refusal is shown in the platform's words with its code, so that a page
 * cannot hide that it asked for more than it may.
 */
import { AppError } from "@althing/contract";
import { Link, useRouter, useRouterState } from "@tanstack/react-router";
import { useEffect, useMemo } from "react";
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { isolated } from "../app/isolate.ts";
import { useNamesOfThoseWho } from "../app/people.tsx";
import { navLinks, readExtensionPages, type ExtensionPages, type NavItem } from "../extension-frame/index.ts";
import { EmptyState, LinkButton, Page, PageHeader, Refusal, Skeleton } from "../ui/index.ts";
import { extensionAddress, readExtensionAddress, type ExtensionPlace } from "./extension-address.ts";
import { FrameStage } from "./frame-stage.tsx";
import { useExtensionTexts } from "./texts.ts";

export function ExtensionPage() {
  const t = useExtensionTexts();
  const { ref } = useCommunity();
  // Asked again at every move; the address itself is read where nothing has decoded it.
  useRouterState({ select: ({ location: { href } }) => href });
  const place = readExtensionAddress(location.pathname);
  if (place === undefined)
    return (
      <Page>
        <PageHeader title={t("noSuchPage")} />
        <EmptyState
          title={t("noSuchPageText")}
          actions={
            <LinkButton to="/c/$community" params={{ community: ref }}>
              {t("back")}
            </LinkButton>
          }
        />
      </Page>
    );
  return <ExtensionHere key={place.extension} place={place} />;
}

function ExtensionHere({ place }: { readonly place: ExtensionPlace }) {
  const { ref } = useCommunity();
  const read = useRead("packages.pages", { params: { community: ref } });
  const found = read.data?.extensions.find(({ extension }) => extension === place.extension);
  // Read again at every event of the community: the same pages stay the same object, so that the frame stays.
  const identity = found === undefined ? undefined : JSON.stringify([found.uiUrl, found.manifest, found.displayName]);
  const pages = useMemo(() => (found === undefined ? undefined : readExtensionPages(found)), [identity]);
  if (pages !== undefined) return <Framed place={place} pages={pages} />;
  if (read.isPending)
    return (
      <Page>
        <Skeleton rows={3} />
      </Page>
    );
  return read.isError ? <NotShown error={read.error} /> : <WhyNot extension={place.extension} />;
}

function Framed({ place, pages }: { readonly place: ExtensionPlace; readonly pages: ExtensionPages }) {
  const t = useExtensionTexts();
  const router = useRouter();
  const { community } = useCommunity();
  const links = navLinks(pages, community.permissions);
  useMainLabel(pages.name);
  const go = (path: string) => router.history.push(extensionAddress({ ...place, path }));
  return (
    <Page wide>
      <PageHeader title={pages.name} isGiven />
      {links.length > 1 && (
        <nav aria-label={t("pages", { name: pages.name })} className="flex flex-wrap gap-1">
          {links.map((item) => (
            <WayLink key={item.path} item={item} place={place} onGo={go} />
          ))}
        </nav>
      )}
      <FrameStage pages={pages} path={place.path} onNavigate={go} />
    </Page>
  );
}

/** The page in the frame has a main part of its own; the host's is told from it by its name. */
function useMainLabel(name: string): void {
  useEffect(() => {
    const main = document.getElementById("main");
    main?.setAttribute("aria-label", isolated(name));
    return () => main?.removeAttribute("aria-label");
  }, [name]);
}

function WayLink({ item, place, onGo }: { readonly item: NavItem; readonly place: ExtensionPlace; readonly onGo: (path: string) => void }) {
  const isHere = item.path === place.path;
  return (
    <a
      href={extensionAddress({ ...place, path: item.path })}
      aria-current={isHere ? "page" : undefined}
      className="flex min-h-11 items-center rounded-lg px-3 font-semibold text-soft no-underline hover:bg-raised aria-[current]:bg-accent-tint aria-[current]:text-accent"
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        onGo(item.path);
      }}
    >
      <bdi>{item.label}</bdi>
    </a>
  );
}

/** Those who may see packages are told what stops this one. */
function WhyNot({ extension }: { readonly extension: string }) {
  const { ref, can } = useCommunity();
  const mayRead = can("plugins.read");
  const read = useRead("packages.get", { params: { community: ref, install: extension } }, { enabled: mayRead });
  const admins = useNamesOfThoseWho("plugins.packages.manage");
  if (mayRead && read.isPending)
    return (
      <Page>
        <Skeleton rows={3} />
      </Page>
    );
  const blocked = read.data?.blocked;
  const error =
    blocked === undefined
      ? new AppError("ext.not_found", { extension, ...(admins === undefined ? {} : { who: admins }) })
      : new AppError("install.blocked", { rule: blocked.rule, detail: blocked.text, who: blocked.who });
  return <NotShown error={error} />;
}

function NotShown({ error }: { readonly error: unknown }) {
  const t = useExtensionTexts();
  const { ref } = useCommunity();
  return (
    <Page>
      <PageHeader
        title={t("cannotShow")}
        above={
          <Link to="/c/$community" params={{ community: ref }}>
            {t("back")}
          </Link>
        }
      />
      <Refusal error={error} />
    </Page>
  );
}
