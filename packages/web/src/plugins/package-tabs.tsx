/** The tabs of a package, and which of them there is anything to see in. */
import { HealthTab } from "./health-tab.tsx";
import { JobsTab } from "./jobs-tab.tsx";
import { LettersTab } from "./letters-tab.tsx";
import { LogTab } from "./log-tab.tsx";
import { OverviewTab } from "./overview-tab.tsx";
import type { PackageHere } from "./package-here.ts";
import { RemoveTab } from "./remove-tab.tsx";
import { SettingsTab } from "./settings-tab.tsx";
import { UsageTab } from "./usage-tab.tsx";
import { VersionsTab } from "./versions-tab.tsx";

export const packageTabs = ["overview", "settings", "health", "log", "usage", "jobs", "letters", "versions", "remove"] as const;
export type PackageTab = (typeof packageTabs)[number];

export function shownTabs({ view, mayManage }: Pick<PackageHere, "view" | "mayManage">): readonly PackageTab[] {
  return packageTabs.filter((tab) => {
    if (tab === "jobs") return view.jobs.length > 0;
    if (tab === "letters") return view.events.length > 0;
    return tab !== "remove" || mayManage;
  });
}

export function TabBody({ tab, here }: { readonly tab: PackageTab; readonly here: PackageHere }) {
  switch (tab) {
    case "overview":
      return <OverviewTab here={here} />;
    case "settings":
      return <SettingsTab here={here} />;
    case "health":
      return <HealthTab here={here} />;
    case "log":
      return <LogTab here={here} />;
    case "usage":
      return <UsageTab here={here} />;
    case "jobs":
      return <JobsTab here={here} />;
    case "letters":
      return <LettersTab here={here} />;
    case "versions":
      return <VersionsTab here={here} />;
    case "remove":
      return <RemoveTab here={here} />;
  }
}
