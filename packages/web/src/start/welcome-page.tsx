/**
 * The first minutes: an admin founds a community, then everybody is shown round in three steps. Both can be skipped, and the tour can be taken again.
 *
 * Invariant: nothing here is needed later; each step is a page of words with one thing to press.
 */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { usePages } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Actions, Button, Card, LinkButton, ListState, Page, PageHeader } from "../ui/index.ts";
import { FoundingForm } from "./founding-form.tsx";
import { readCommunities } from "./own-communities.ts";
import { useStartTexts } from "./texts.ts";

export function WelcomePage() {
  const t = useStartTexts();
  const { user } = useSession();
  const list = usePages(
    "communities.list",
    (after) => ({ query: { limit: 100, ...(after === undefined ? {} : { after }) } }),
    readCommunities,
  );
  const [isFoundingSkipped, setIsFoundingSkipped] = useState(false);
  const [founded, setFounded] = useState<string>();
  const mayFound = user.role === "admin" && list.rows.length === 0 && !list.isPending;
  const isFounding = mayFound && !isFoundingSkipped && founded === undefined;
  return (
    <Page>
      <PageHeader title={t("welcome.title", { handle: user.handle })} lead={isFounding ? t("welcome.leadAdmin") : t("welcome.lead")} />
      {(list.isPending || list.error !== null) && (
        <ListState list={{ ...list, hasMore: false }} empty={null}>
          {null}
        </ListState>
      )}
      {isFounding && (
        <Card className="grid gap-4">
          <h2 className="text-xl font-bold">{t("welcome.found")}</h2>
          <p className="max-w-prose text-soft">{t("welcome.foundLead")}</p>
          <FoundingForm onFounded={({ name }) => setFounded(name)} />
          <div>
            <Button tone="plain" onClick={() => setIsFoundingSkipped(true)}>
              {t("welcome.skip")}
            </Button>
          </div>
        </Card>
      )}
      {!isFounding && !list.isPending && <Tour community={founded} />}
    </Page>
  );
}

function Tour({ community }: { readonly community: string | undefined }) {
  const t = useStartTexts();
  const [at, setAt] = useState(0);
  const stops = [
    { title: t("welcome.talkTitle"), text: t("welcome.talk"), picture: "talk" },
    { title: t("welcome.decideTitle"), text: t("welcome.decide"), picture: "decide" },
    { title: t("welcome.traceTitle"), text: t("welcome.trace"), picture: "trace" },
  ] as const;
  const stop = stops[at] ?? stops[0];
  const isLast = at === stops.length - 1;
  const home =
    community === undefined ? (
      <LinkButton to="/">{t("welcome.done")}</LinkButton>
    ) : (
      <LinkButton to="/c/$community" params={{ community }}>
        {t("welcome.toCommunity", { name: community })}
      </LinkButton>
    );
  return (
    <Card className="grid gap-5">
      <p className="text-sm text-soft">{t("welcome.progress", { at: at + 1, of: stops.length })}</p>
      <div aria-live="polite" className="grid gap-6 sm:grid-cols-[9rem_1fr] sm:items-center">
        <Picture of={stop.picture} />
        <div className="grid gap-2">
          <h2 className="text-2xl font-bold">{stop.title}</h2>
          <p className="max-w-prose">{stop.text}</p>
        </div>
      </div>
      <Actions>
        {isLast ? home : <Button onClick={() => setAt(at + 1)}>{t("welcome.next")}</Button>}
        {at > 0 && (
          <Button tone="quiet" onClick={() => setAt(at - 1)}>
            {t("welcome.back")}
          </Button>
        )}
        {!isLast && (
          <Link to="/" className="flex min-h-11 items-center px-2">
            {t("welcome.skipTour")}
          </Link>
        )}
      </Actions>
    </Card>
  );
}

/** Drawn, so that nothing has to be loaded; says nothing that the words beside it do not. */
function Picture({ of }: { readonly of: "talk" | "decide" | "trace" }) {
  return (
    <svg aria-hidden="true" viewBox="0 0 120 90" className="w-36 justify-self-center rounded-lg bg-accent-tint fill-accent stroke-accent">
      {of === "talk" && (
        <>
          <path
            d="M20 22h46a6 6 0 0 1 6 6v16a6 6 0 0 1-6 6H38l-10 9v-9h-8a6 6 0 0 1-6-6V28a6 6 0 0 1 6-6z"
            fillOpacity={0.25}
            strokeWidth={2.5}
          />
          <path d="M82 40h14a6 6 0 0 1 6 6v12a6 6 0 0 1-6 6h-3v8l-9-8H66a6 6 0 0 1-6-6" fill="none" strokeWidth={2.5} />
        </>
      )}
      {of === "decide" && (
        <>
          <rect x="22" y="40" width="16" height="32" rx="3" fillOpacity={0.25} strokeWidth={2.5} />
          <rect x="52" y="18" width="16" height="54" rx="3" strokeWidth={2.5} />
          <rect x="82" y="52" width="16" height="20" rx="3" fillOpacity={0.25} strokeWidth={2.5} />
        </>
      )}
      {of === "trace" && (
        <>
          <rect x="12" y="34" width="40" height="22" rx="11" fill="none" strokeWidth={4} />
          <rect x="40" y="34" width="40" height="22" rx="11" fill="none" strokeWidth={4} />
          <rect x="68" y="34" width="40" height="22" rx="11" fill="none" strokeWidth={4} />
        </>
      )}
    </svg>
  );
}
