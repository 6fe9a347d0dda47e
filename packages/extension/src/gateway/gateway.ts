/**
 * The gateway: requests of people and peers to an extension's endpoints.
 *
 * Invariant: one order of steps, each with its own code, none skipped: path → community and membership → active install → endpoint → its
 * permission → headers → body → invocation (quota, row, runner, response policy, row closed). Somebody who is not signed in learns nothing but
 * `auth.required` unless the endpoint is public by manifest, consent and today's policy. docs/architecture/gateway.md.
 */
import { AppError, extensionIdSchema, hasCode, limits, memberWith, type CommunityId, type ExtensionId } from "@althing/contract";
import { authorizeCommunity, grantedPolicy } from "@althing/policy";
import type { CommunityGate, PluginCaller } from "../extension-deps.ts";
import type { Actor, Answered, Invocable, Invoker } from "../invoke/index.ts";
import { checkResponse, headersIn } from "./header-policy.ts";
import { createEndpointTable, decodePath, type EndpointMatch, type EndpointTable } from "./request-path.ts";

export interface GatewayRequest {
  readonly method: string;
  /** From the path or the Althing-Community header. */
  readonly community: string | undefined;
  readonly extension: string;
  /** From the slash after the extension's id on, undecoded, without the query. */
  readonly rawPath: string;
  /** Without the question mark. */
  readonly query: string;
  readonly headers: readonly (readonly [string, string])[];
  /** The whole body, its digest compared and its nonce taken. @throws {ext.payload_too_large} and what authentication refuses */
  readonly readBody: (maxBytes: number) => Promise<Uint8Array>;
  /** Absent when the request is not signed. */
  readonly caller: PluginCaller | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly traceparent?: string;
}

export interface GatewayResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface GatewayDeps {
  readonly communities: CommunityGate;
  /** The active install of an extension, its row read now. */
  readonly findActive: (community: CommunityId, extension: string) => Promise<Invocable | undefined>;
  readonly invoker: Invoker;
}

export interface Gateway {
  handle(request: GatewayRequest): Promise<GatewayResponse>;
}

/** What the request names, decoded once. */
interface Target {
  readonly ref: string;
  /** Absent when it cannot be the id of any. */
  readonly extension: ExtensionId | undefined;
  readonly method: string;
  readonly segments: readonly string[];
}

interface Entered {
  readonly install: Invocable;
  readonly match: EndpointMatch;
  readonly actor: Actor | undefined;
  readonly isPublic: boolean;
}

/** Tables of endpoints kept; one is a few kilobytes. */
const tablesMax = 500;
const nothing = new Uint8Array();

export function createGateway({ communities, findActive, invoker }: GatewayDeps): Gateway {
  const tables = new Map<string, EndpointTable>();

  function tableOf(install: Invocable): EndpointTable {
    const known = tables.get(install.contentHash);
    if (known !== undefined) return known;
    if (tables.size >= tablesMax) tables.clear();
    const table = createEndpointTable(install.manifest.endpoints);
    tables.set(install.contentHash, table);
    return table;
  }

  /** A member's way in; somebody else's is a stranger's. */
  async function asMember(target: Target, caller: PluginCaller): Promise<Entered> {
    const { ref, extension, method, segments } = target;
    const community = await communities.resolve(caller, ref).catch((error: unknown) => {
      if (hasCode(error, "community.not_found")) return undefined;
      throw error;
    });
    const permissions = community && (await communities.permissionsOf(caller, community));
    if (community === undefined || permissions === undefined) {
      return asStranger(target).catch((error: unknown) => {
        throw hasCode(error, "auth.required") ? notMember(error) : error;
      });
    }
    const install = extension && (await findActive(community, extension));
    if (install === undefined) throw new AppError("ext.not_found", { extension: extension ?? "of this path" });
    const match = tableOf(install).find(method, segments);
    if (match === undefined)
      throw new AppError("ext.endpoint_not_found", { extension: install.extension, method, path: printable(`/${segments.join("/")}`) });
    const wanted = match.endpoint.permission;
    if (wanted !== undefined) {
      const decision = authorizeCommunity(new Set(permissions), wanted as `ext.${string}`);
      if (!decision.allowed) throw new AppError("auth.forbidden", { permission: wanted, who: decision.who });
    }
    const actor: Actor = { id: caller.endpoint, handle: caller.handle, permissions };
    return { install, match, actor, isPublic: false };
  }

  /** Without signing in: only what manifest, consent and policy all call public. A package that cannot be read calls nothing public. */
  async function asStranger({ ref, extension, method, segments }: Target): Promise<Entered> {
    const community = await communities.find(ref);
    const install =
      community &&
      extension &&
      (await findActive(community, extension).catch((error: unknown) => {
        throw hasCode(error, "ext.integrity") ? new AppError("auth.required", {}, { cause: error }) : error;
      }));
    const match = install && tableOf(install).find(method, segments);
    if (community === undefined || install === undefined || match?.endpoint.public !== true) throw new AppError("auth.required");
    const { mayBePublic } = grantedPolicy(await invoker.policyOf(community), install.granted);
    if (!mayBePublic || !install.granted.publicEndpoints.includes(match.name)) throw new AppError("auth.required");
    return { install, match, actor: undefined, isPublic: true };
  }

  return {
    async handle(request) {
      const { caller, community: ref, requestId, method, query, signal } = request;
      if (ref === undefined || ref === "") throw new AppError("ext.bad_request", { detail: noCommunity });
      const segments = decodePath(request.rawPath);
      const target: Target = { ref, method, segments, extension: extensionIdSchema.safeParse(request.extension).data };
      const { install, match, actor, isPublic } = await (caller === undefined ? asStranger(target) : asMember(target, caller));
      const headers = headersIn(request.headers, { requestId, community: install.community, actor });
      const body = await request.readBody(limits.extensionBodyMaxBytes);
      const params = match.params.map(([name, value]): [string, string] => [name, value]);
      const { outcome, body: answer } = await invoker.invoke({
        ...{ install, requestId, name: match.name, actor, body, signal },
        call: { kind: "http", method, path: `/${segments.join("/")}`, query, params, headers },
        accept: (answered) => toLeave(answered, isPublic),
        ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
      });
      if (outcome.kind !== "response") throw new AppError("ext.trap", { detail: wrongKind(outcome.kind) });
      return { status: outcome.status, headers: Object.fromEntries(outcome.headers), body: answer };
    },
  };
}

const noCommunity = "no community is named; send the Althing-Community header or use /api/communities/{id}/ext/";
const wrongKind = (kind: string): string => `it answered an HTTP request with ${kind}`;

/** The response policy. @throws {ext.trap} */
function toLeave({ outcome, body }: Answered, isPublic: boolean): Answered {
  if (outcome.kind !== "response") throw new AppError("ext.trap", { detail: wrongKind(outcome.kind) });
  const { status, headers, hasBody } = checkResponse(
    { status: outcome.status, headers: outcome.headers, bodyBytes: body.length },
    isPublic,
  );
  return { outcome: { kind: "response", status, headers: headers.map(([name, value]) => [name, value]) }, body: hasBody ? body : nothing };
}

const notMember = (cause: unknown) =>
  new AppError("auth.forbidden", { permission: "membership of this community", who: memberWith("members.invite") }, { cause });

const printable = (text: string): string => text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
