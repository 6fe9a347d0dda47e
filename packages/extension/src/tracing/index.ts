/** Face of the export of traces, for hub and runner. */
export { openSpanExport, startClock, traceparentOf, type SpanExport, type SpanExportOptions } from "./span-export.ts";
