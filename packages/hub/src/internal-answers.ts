/**
 * What runners ask of the hub on its internal listeners: bundles, whether pages may be served, and host calls of running invocations.
 *
 * Invariant: on loopback bundles and pages need the boot token that only the supervisor's processes know; from other machines everything needs the
 * certificate of a runner that the configuration names. A host call needs the token of its own invocation on both, which decides whose data it
 * touches. Comparison takes the same time for every wrong token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { AppError, brokerRequestSchema, contentHashSchema, extensionIdSchema, faultsOf } from "@althing/contract";
import { createPeerGate } from "@althing/extension/peer-tls";
import { readBody } from "./body-reader.ts";
import { headerOf } from "./exchange.ts";
import type { ExtensionPlane } from "./extension-plane.ts";
import type { Answer } from "./problem-answer.ts";
import type { RouteRequest } from "./router.ts";
import { apiHeaders } from "./security-headers.ts";
import { parseStrictJson } from "./strict-json.ts";

/** A value of 64 KiB in base64, an event's data, and room around them. */
const brokerBodyMaxBytes = 256 * 1024;

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The token of `authorization: Bearer`; empty when there is none. */
function bearerOf({ exchange }: RouteRequest): string {
  return /^Bearer ([A-Za-z0-9_-]{1,128})$/.exec(headerOf(exchange.headers, "authorization") ?? "")?.[1] ?? "";
}

/** Of the runner that was started with this hub. */
export function requireBootToken(runnerToken: string): (incoming: RouteRequest) => void {
  const expected = digestOf(runnerToken);
  return (incoming) => {
    if (!timingSafeEqual(digestOf(bearerOf(incoming)), expected)) throw new AppError("runner.token_invalid");
  };
}

/** For runners on other machines: each answer needs the certificate of one of these hosts. */
export function createPeerAnswers(plane: () => ExtensionPlane, hosts: readonly string[]): ReturnType<typeof createInternalAnswers> {
  const gate = createPeerGate({ hosts, nowMs: Date.now });
  const check = ({ request }: RouteRequest): void => gate(request.socket);
  const answers = createInternalAnswers(plane, check);
  return {
    ...answers,
    "internal.broker": async (incoming) => {
      check(incoming);
      return answers["internal.broker"](incoming);
    },
  };
}

export type InternalRoute = "internal.broker" | "internal.bundle" | "internal.uiHash";

export function createInternalAnswers(
  plane: () => ExtensionPlane,
  checkRunner: (incoming: RouteRequest) => void,
): Readonly<Record<InternalRoute, (incoming: RouteRequest) => Promise<Answer>>> {
  const json = (value: unknown): Answer => ({
    status: 200,
    headers: { ...apiHeaders, "content-type": "application/json" },
    body: JSON.stringify(value),
  });
  const paramOf = ({ params }: RouteRequest, name: string): unknown => Object.entries(params ?? {}).find(([key]) => key === name)?.[1];
  return {
    "internal.broker": async (incoming) => {
      const body = await readBody(incoming.request, incoming.response, brokerBodyMaxBytes);
      const parsed = brokerRequestSchema.safeParse(parseStrictJson(body));
      if (!parsed.success)
        throw new AppError("request.invalid", { detail: "it is no host call" }, { faults: faultsOf(parsed.error).slice(0, 10) });
      return json(await plane().broker.answer(bearerOf(incoming), parsed.data));
    },
    "internal.bundle": async (incoming) => {
      checkRunner(incoming);
      const contentHash = contentHashSchema.safeParse(paramOf(incoming, "contentHash"));
      if (!contentHash.success) throw new AppError("request.invalid", { detail: "contentHash: it is no content hash" });
      const body = await plane().installs.bundle(contentHash.data);
      return { status: 200, headers: { ...apiHeaders, "content-type": "application/octet-stream" }, body };
    },
    "internal.uiHash": async (incoming) => {
      checkRunner(incoming);
      const extension = extensionIdSchema.safeParse(paramOf(incoming, "extension"));
      const contentHash = contentHashSchema.safeParse(paramOf(incoming, "contentHash"));
      if (!extension.success || !contentHash.success) throw new AppError("ext.not_found", { extension: "of this path" });
      return json(await plane().installs.uiPolicy(extension.data, contentHash.data));
    },
  };
}
