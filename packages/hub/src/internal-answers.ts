/**
 * What runners ask of the hub on its internal listener: bundles, whether pages may be served, and host calls of running invocations.
 *
 * Invariant: bundles and pages need the boot token that only the supervisor's processes know; a host call needs the token of its own invocation,
 * which decides whose data it touches. Comparison takes the same time for every wrong token.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { AppError, brokerRequestSchema, contentHashSchema, extensionIdSchema, faultsOf } from "@althing/contract";
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

export type InternalRoute = "internal.broker" | "internal.bundle" | "internal.uiHash";

export function createInternalAnswers(
  plane: () => ExtensionPlane,
  runnerToken: string,
): Readonly<Record<InternalRoute, (incoming: RouteRequest) => Promise<Answer>>> {
  const json = (value: unknown): Answer => ({
    status: 200,
    headers: { ...apiHeaders, "content-type": "application/json" },
    body: JSON.stringify(value),
  });
  const checkRunner = (incoming: RouteRequest): void => {
    if (!timingSafeEqual(digestOf(bearerOf(incoming)), digestOf(runnerToken))) throw new AppError("runner.token_invalid");
  };
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
