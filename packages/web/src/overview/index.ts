/** Screens of this area: a community at a glance, its announcements, its public log. The first is what most people see first, so the others come apart. */
import { lazy } from "react";

export { OverviewPage } from "./overview-page.tsx";

export const AnnouncementsPage = lazy(async () => ({ default: (await import("./announcements-page.tsx")).AnnouncementsPage }));
export const EventsPage = lazy(async () => ({ default: (await import("./events-page.tsx")).EventsPage }));
