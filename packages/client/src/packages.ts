/**
 * Communities, packages and extensions' endpoints for one identity: signed requests and nothing else.
 *
 * Invariant: it keeps no state and opens no NATS session, so it serves where no room is needed (tools, scripts); what goes out is signed for the address it
 * goes to, bundles included, and an answer that does not fit its schema is never used.
 */
import {
  AppError,
  type Install,
  type PackageVersion,
  type PublicEvent,
  type RouteInput,
  type RouteName,
  type RouteResponse,
} from "@althing/contract";
import type { Identity } from "@althing/crypto";
import { platform } from "#platform";
import { createApi, type CallOptions } from "./api.ts";
import { followEvents, untilClosed, type FollowOptions } from "./event-feed.ts";
import { checkApiUrl } from "./target.ts";

export interface PackagesClientOptions {
  readonly identity: Identity;
  /** Addresses of the instance, in order of preference. */
  readonly urls: readonly string[];
  /** PEM of a private authority; Node only. */
  readonly ca?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** A package as it is sent: the packed bundle and its detached signature. */
export interface PackageFiles {
  readonly bundle: Uint8Array<ArrayBuffer>;
  /** Text or bytes of the .sig.json; absent: unsigned. */
  readonly signature?: string | Uint8Array<ArrayBuffer>;
}

export interface EndpointCall {
  /** Id or name. */
  readonly community: string;
  readonly extension: string;
  readonly method: string;
  /** From the extension's own root, encoded: `/hello/ada?loud=1`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

export interface EndpointAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface PackagesClient {
  readonly identity: Identity;
  /** The address that answered last. */
  readonly url: string;
  /** Any route of the contract. */
  call<N extends RouteName>(name: N, input?: Partial<RouteInput<N>>, options?: CallOptions): Promise<RouteResponse<N>>;
  /** Uploads a package into a community; it does nothing before consent. @throws the codes of the route packages.upload */
  upload(community: string, files: PackageFiles, options?: CallOptions): Promise<Install>;
  /** Publishes a package in the instance's registry. @throws the codes of the route registry.publish */
  publish(files: PackageFiles, options?: CallOptions): Promise<PackageVersion>;
  /**
   * Calls an extension. Any status that the extension itself gives is an answer.
   * @throws {ext.bad_request} the path does not begin with a slash; and what the gateway refuses
   */
  endpoint(call: EndpointCall): Promise<EndpointAnswer>;
  /** Public events of a community (id or name) as they happen, each once; opened again where it broke off. @throws {client.bad_answer} and what the route events.stream refuses for good */
  followEvents(community: string, options?: FollowOptions): AsyncGenerator<PublicEvent>;
  close(): Promise<void>;
}

function formOf({ bundle, signature }: PackageFiles): FormData {
  const form = new FormData();
  form.append("bundle", new Blob([bundle]), "bundle.althing");
  if (signature !== undefined) form.append("signature", new Blob([signature]), "bundle.althing.sig.json");
  return form;
}

/**
 * @throws {client.insecure_target} an address that is neither loopback nor encrypted
 * @example
 * const packages = createPackagesClient({ identity, urls: ["http://127.0.0.1:8470"] });
 * const { packages: installed } = await packages.call("packages.list", { params: { community: "garden" } });
 * await packages.close();
 */
export function createPackagesClient(options: PackagesClientOptions): PackagesClient {
  const urls = options.urls.map(checkApiUrl);
  const http = platform.createHttp({ ca: options.ca });
  const closed = new AbortController();
  const api = createApi({ identity: options.identity, urls, http, now: options.now ?? Date.now });
  return {
    identity: options.identity,
    get url() {
      return api.url;
    },
    call: (name, input, callOptions) => api.call(name, input, callOptions),
    upload: (community, files, callOptions) => api.upload("packages.upload", { params: { community } }, formOf(files), callOptions),
    publish: (files, callOptions) => api.upload("registry.publish", {}, formOf(files), callOptions),
    async endpoint({ community, extension, method, path, headers, body, signal }) {
      if (!path.startsWith("/")) throw new AppError("ext.bad_request", { detail: "the path begins with no slash" });
      const target = `/api/communities/${encodeURIComponent(community)}/ext/${encodeURIComponent(extension)}${path}`;
      const request = { method, path: target, ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) };
      const answer = await api.send(request, signal === undefined ? {} : { signal });
      return { status: answer.status, contentType: answer.contentType, body: answer.body };
    },
    followEvents: (community, followOptions) => followEvents(api, community, untilClosed(closed.signal, followOptions)),
    async close() {
      closed.abort();
      await http.close();
    },
  };
}
