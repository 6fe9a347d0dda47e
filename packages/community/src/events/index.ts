/** Face of the public log. */
export { createEventLog, type Act, type EventLog } from "./event-log.ts";
export { createEventProjection, type EventProjection, type EventSink } from "./event-projection.ts";
export { createEventReader, type EventReader } from "./event-reader.ts";
export { publicEventOf, type EventActor, type EventDraft } from "./event-record.ts";
