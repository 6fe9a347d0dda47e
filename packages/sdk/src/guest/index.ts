/**
 * What an extension's author imports: `@althing/sdk/guest`. Runs inside the component and, with a mock host, in plain Node.
 */
export {
  accept,
  defineExtension,
  refuse,
  settingsType,
  type EventHandler,
  type Extension,
  type ExtensionDefinition,
  type ExtensionEvent,
  type FilterAnswer,
  type FilterHandler,
  type HttpHandler,
  type HttpMethod,
  type JobHandler,
  type JobRun,
  type Route,
} from "./define-extension.ts";
export type { Actor, ExtensionContext } from "./extension-context.ts";
export { HostError } from "./host-error.ts";
export { bytes, empty, HttpProblem, HttpRequest, HttpResponse, json, text, type ResponseInit } from "./http-messages.ts";
export { FetchResponse, http, type FetchOptions, type OutgoingHttp } from "./outgoing-http.ts";
export {
  events,
  log,
  members,
  metrics,
  proposals,
  rooms,
  schedule,
  secrets,
  type Labels,
  type Member,
  type MemberPage,
  type PageOptions,
} from "./platform.ts";
export { kv, KvEntry, type KeyValueStore, type KvPage, type ListOptions, type PutOptions, type UpdateOptions } from "./storage.ts";
export type { ParamsOf } from "./routes.ts";
