/** What the community has set for discussion and vote, as the writer of a proposal meets it. */
import { moduleSettings } from "@althing/contract";
import { Facts, Section } from "../ui/index.ts";
import { useModule } from "./community-defaults.ts";
import { useEditorTexts } from "./editor-texts.ts";

export function TimesFact() {
  const t = useEditorTexts();
  const defaults = useModule("proposals", moduleSettings.proposals);
  const discussion =
    defaults === undefined
      ? t("communityDays")
      : defaults.discussionDays === 0
        ? t("discussionNone")
        : t("discussionDays", { count: defaults.discussionDays });
  return (
    <Section title={t("timesPart")} lead={t("timesLead")}>
      <Facts
        facts={[
          defaults === undefined ? undefined : [t("discussionTime"), discussion],
          [t("votingTime"), defaults === undefined ? t("communityDays") : t("votingDays", { count: defaults.votingDays })],
          [t("whoVotes"), t("whoVotesText")],
        ]}
      />
    </Section>
  );
}
