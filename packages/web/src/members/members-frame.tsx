/** What the pages about members have in common: heading and tabs, each shown only to whoever may use it. */
import type { LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useCommunity } from "../app/community.tsx";
import { Page, PageHeader, PageTabs } from "../ui/index.ts";
import { useMembersTexts } from "./texts.ts";

export interface MembersFrameProps {
  readonly title: string;
  readonly lead: string;
  readonly actions?: ReactNode;
  readonly wide?: boolean;
  readonly children: ReactNode;
}

export function MembersFrame({ title, lead, actions, wide = false, children }: MembersFrameProps) {
  const t = useMembersTexts();
  const { community, ref, can } = useCommunity();
  const params = { community: ref };
  const ways: readonly (LinkProps & { readonly name: string })[] = can("members.invite")
    ? [
        { to: "/c/$community/members/requests", params, name: t("tabs.requests") },
        { to: "/c/$community/members/invitations", params, name: t("tabs.invitations") },
      ]
    : [];
  const roles: readonly (LinkProps & { readonly name: string })[] =
    community.roles === undefined ? [] : [{ to: "/c/$community/members/roles", params, name: t("tabs.roles") }];
  return (
    <Page wide={wide}>
      <PageHeader title={title} lead={lead} actions={actions} />
      <PageTabs label={t("tabs.label")} tabs={[{ to: "/c/$community/members", params, name: t("tabs.members") }, ...ways, ...roles]} />
      {children}
    </Page>
  );
}
