/** Face of the host APIs: what a guest may call, in the service. See docs/architecture/runner.md. */
export { createSeriesBook, type SeriesBook } from "./guest-metrics.ts";
export { createInvocationHost, hostOperations, type InvocationHost, type InvocationHostOptions } from "./invocation-host.ts";
export { printableText } from "./printable-text.ts";
