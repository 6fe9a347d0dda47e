/** Heading and ways of the one flow of plugins: packages, built-in modules, policy. */
import type { ReactNode } from "react";
import { useCommunity } from "../app/community.tsx";
import { PageHeader, PageTabs } from "../ui/index.ts";
import { usePluginTexts } from "./texts.ts";

export function PluginsHeader({ lead, actions }: { readonly lead: ReactNode; readonly actions?: ReactNode }) {
  const t = usePluginTexts();
  const { ref } = useCommunity();
  const params = { community: ref };
  return (
    <>
      <PageHeader title={t("title")} lead={lead} actions={actions} />
      <PageTabs
        label={t("tabsLabel")}
        tabs={[
          { name: t("tabs.packages"), to: "/c/$community/plugins", params },
          { name: t("tabs.modules"), to: "/c/$community/plugins/modules", params },
          { name: t("tabs.policy"), to: "/c/$community/plugins/policy", params },
        ]}
      />
    </>
  );
}
