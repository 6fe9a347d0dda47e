/** The main part of the page, and what stands there when the address leads nowhere. */
import type { ReactNode } from "react";
import { EmptyState, LinkButton, Page, PageHeader } from "../ui/index.ts";
import { useAppTexts } from "./texts.ts";

export function Main({ children }: { readonly children: ReactNode }) {
  return (
    <main id="main" tabIndex={-1} className="min-w-0">
      {children}
    </main>
  );
}

export function NoPage() {
  const t = useAppTexts();
  return (
    <Main>
      <Page>
        <PageHeader title={t("notFound.title")} />
        <EmptyState title={t("notFound.text")} actions={<LinkButton to="/">{t("notFound.home")}</LinkButton>} />
      </Page>
    </Main>
  );
}
