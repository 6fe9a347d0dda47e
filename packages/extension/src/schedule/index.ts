/** Face of schedules. */
export { checkCron, nextRuns } from "./cron-schedule.ts";
