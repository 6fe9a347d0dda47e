/**
 * The author's side: an extension is a value that holds handlers by what they answer to.
 *
 * Invariant: handlers are plain functions, never async: host calls return their results directly (the platform suspends the guest meanwhile), and the
 * component's engine has no event loop to finish a promise. The types say so, and `invoke` says it again at run time.
 */
import type { ExtensionContext } from "./extension-context.ts";
import type { HttpRequest, HttpResponse } from "./http-messages.ts";
import type { ParamsOf } from "./routes.ts";

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Route = `${HttpMethod} /${string}`;

export interface ExtensionEvent {
  readonly topic: string;
  /** Position in the community's chain of events. */
  readonly index: number;
  readonly id: string;
  readonly time: string;
  readonly actor: string;
  readonly subject: string;
  readonly data: unknown;
  readonly depth: number;
}

export interface JobRun {
  readonly name: string;
  /** The slot that is due, which may lie before `context.time`. */
  readonly slot: Date;
}

export type FilterAnswer = { readonly accept: unknown } | { readonly refuse: string };

/** Go on, with this payload. */
export function accept(payload: unknown): FilterAnswer {
  return { accept: payload };
}

/** Refuse; the person sees the reason. */
export function refuse(reason: string): FilterAnswer {
  return { refuse: reason };
}

export type HttpHandler<Settings, Params extends string = string> = (
  request: HttpRequest<Params>,
  context: ExtensionContext<Settings>,
) => HttpResponse;
/** Returns a line for the history, or nothing. */
export type EventHandler<Settings> = (event: ExtensionEvent, context: ExtensionContext<Settings>) => string | undefined | void;
export type FilterHandler<Settings> = (payload: unknown, context: ExtensionContext<Settings>) => FilterAnswer;
/** Returns a line for the history, or nothing. */
export type JobHandler<Settings> = (run: JobRun, context: ExtensionContext<Settings>) => string | undefined | void;

/** What an extension answers to; `Routes` are the keys of `http`. */
export interface ExtensionDefinition<Settings, Routes extends string> {
  /** Gives the settings their type: `settingsType<Settings>()`, or a function of your own that checks them. */
  readonly settings?: (settings: unknown) => Settings;
  /** By `"METHOD /path/:name"`, as in the manifest's `endpoints`. */
  readonly http?: { readonly [R in Routes]: HttpHandler<Settings, ParamsOf<R>> };
  /** By topic, exact or `prefix.*`, as in the manifest's `events`. */
  readonly events?: Readonly<Record<string, EventHandler<Settings>>>;
  /** By point, as in the manifest's `filters`. */
  readonly filters?: Readonly<Record<string, FilterHandler<Settings>>>;
  /** By name, as in the manifest's `jobs`. */
  readonly jobs?: Readonly<Record<string, JobHandler<Settings>>>;
}

/** An extension with its types put away: what build, mock host and component entry work with. */
export interface Extension {
  readonly settings: (settings: unknown) => unknown;
  readonly http: Readonly<Record<string, HttpHandler<unknown>>>;
  readonly events: Readonly<Record<string, EventHandler<unknown>>>;
  readonly filters: Readonly<Record<string, FilterHandler<unknown>>>;
  readonly jobs: Readonly<Record<string, JobHandler<unknown>>>;
}

/** The type of settings that the manifest's schema describes; the platform has checked them against it. */
export function settingsType<Settings>(): (settings: unknown) => Settings {
  return (settings) => settings as Settings;
}

/**
 * Defines the extension; export it as `extension`.
 *
 * @example
 * export const extension = defineExtension({
 *   http: { "GET /hello/:name": (request) => text(`Hello, ${request.params.name}!`) },
 * });
 */
export function defineExtension<Routes extends Route = never, Settings = Readonly<Record<string, unknown>>>(
  definition: ExtensionDefinition<Settings, Routes>,
): Extension {
  const { settings = settingsType<Settings>(), http = {}, events = {}, filters = {}, jobs = {} } = definition;
  return { settings, http, events, filters, jobs } as Extension;
}
