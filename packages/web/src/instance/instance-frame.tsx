/** What the screens of the instance have in common: a heading, and the ways between them. */
import type { ReactNode } from "react";
import { Page, PageHeader, PageTabs } from "../ui/index.ts";
import { useInstanceTexts } from "./texts.ts";

export function InstanceFrame({
  title,
  lead,
  actions,
  children,
}: {
  readonly title: string;
  readonly lead?: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  const t = useInstanceTexts();
  return (
    <Page wide>
      <PageHeader title={title} {...(lead === undefined ? {} : { lead })} {...(actions === undefined ? {} : { actions })} />
      <PageTabs
        label={t("title")}
        tabs={[
          { to: "/instance", name: t("tabs.posture") },
          { to: "/instance/users", name: t("tabs.users") },
          { to: "/instance/communities", name: t("tabs.communities") },
          { to: "/instance/trust", name: t("tabs.trust") },
          { to: "/instance/policy", name: t("tabs.policy") },
          { to: "/instance/registry", name: t("tabs.registry") },
          { to: "/instance/usage", name: t("tabs.usage") },
          { to: "/instance/audit", name: t("tabs.audit") },
        ]}
      />
      {children}
    </Page>
  );
}
