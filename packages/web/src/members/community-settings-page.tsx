/**
 * What the community is, who comes in, what it takes along and how it ends; and for every member their own place in it.
 *
 * Invariant: who may not change the community sees their own membership and nothing that would be refused.
 */
import { useRead } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { LinkButton, Page, PageHeader, Refusal, Section, Skeleton } from "../ui/index.ts";
import { CloseSection } from "./close-community.tsx";
import { ExportSection } from "./export-section.tsx";
import { JoiningForm } from "./joining-form.tsx";
import { MembershipSection } from "./my-membership.tsx";
import { ShownForm } from "./shown-form.tsx";
import { useMembersTexts } from "./texts.ts";

export function CommunitySettingsPage() {
  const t = useMembersTexts();
  const { community, can } = useCommunity();
  const mayManage = can("community.manage");
  return (
    <Page>
      <PageHeader title={t("settings.title")} lead={t("settings.lead")} />
      {mayManage && <ShownForm />}
      {mayManage && <JoiningForm />}
      {(mayManage || can("plugins.settings.manage")) && <WelcomeSection />}
      <MembershipSection />
      {mayManage && <ExportSection />}
      {mayManage && <CloseSection isOwner={community.roles?.includes("owner") === true} />}
    </Page>
  );
}

function WelcomeSection() {
  const t = useMembersTexts();
  const { ref, can } = useCommunity();
  const read = useRead("communities.door", { params: { community: ref } });
  const actions = can("plugins.settings.manage") && (
    <LinkButton tone="quiet" to="/c/$community/plugins/modules/$module" params={{ community: ref, module: "welcome" }}>
      {t("settings.welcomeChange")}
    </LinkButton>
  );
  return (
    <Section title={t("settings.welcome")} lead={t("settings.welcomeLead")} actions={actions}>
      {read.isPending && <Skeleton rows={2} />}
      {read.error !== null && <Refusal error={read.error} onRetry={() => void read.refetch()} />}
      {read.data !== undefined && (
        <div className="grid gap-4">
          {read.data.rules === "" ? <p>{t("settings.welcomeNoRules")}</p> : <Rules text={read.data.rules} />}
          {read.data.questions.length === 0 ? <p>{t("settings.welcomeNoQuestions")}</p> : <Questions questions={read.data.questions} />}
          {!can("plugins.settings.manage") && <p className="text-sm text-soft">{t("settings.welcomeWho")}</p>}
        </div>
      )}
    </Section>
  );
}

function Rules({ text }: { readonly text: string }) {
  const t = useMembersTexts();
  return (
    <div>
      <h3 className="font-semibold">{t("settings.welcomeRules")}</h3>
      <p
        role="region"
        aria-label={t("settings.welcomeRules")}
        tabIndex={0}
        className="mt-1 max-h-60 overflow-y-auto rounded-lg border border-line bg-raised p-3 whitespace-pre-wrap"
      >
        <bdi>{text}</bdi>
      </p>
    </div>
  );
}

function Questions({
  questions,
}: {
  readonly questions: readonly { readonly id: string; readonly text: string; readonly required: boolean }[];
}) {
  const t = useMembersTexts();
  return (
    <div>
      <h3 className="font-semibold">{t("settings.welcomeQuestions")}</h3>
      <ul className="mt-1 list-disc ps-5">
        {questions.map(({ id, text, required }) => (
          <li key={id}>
            <bdi>{text}</bdi>
            {required && <span className="text-soft"> ({t("settings.welcomeRequired")})</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
