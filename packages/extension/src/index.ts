/** Public face of the extension plane. */
export * from "./broker/index.ts";
export * from "./bundle/index.ts";
export * from "./executions/index.ts";
export type {
  CommunityGate,
  CommunityPolicy,
  ExtensionClock,
  ExtensionLog,
  MemberPage,
  MemberView,
  PluginCaller,
} from "./extension-deps.ts";
export * from "./fetcher/index.ts";
export * from "./gateway/index.ts";
export * from "./installs/index.ts";
export * from "./invoke/index.ts";
export * from "./kv/index.ts";
export * from "./manifest/index.ts";
export * from "./metrics/index.ts";
export * from "./observed/index.ts";
export * from "./quotas/index.ts";
export * from "./registry/index.ts";
export * from "./runner-client/index.ts";
export * from "./schedule/index.ts";
export type { Scope } from "./scope.ts";
export * from "./secrets/index.ts";
export * from "./trust/index.ts";
export * from "./trust-keeper/index.ts";
export * from "./upload/index.ts";
