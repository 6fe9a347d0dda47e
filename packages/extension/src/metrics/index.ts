/** Face of the metrics that extensions record. */
export { createGuestMetrics, type GuestMetrics } from "./guest-metrics.ts";
