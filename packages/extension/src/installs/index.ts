/** Face of installs: the handlers of a community's packages, and what the gateway asks before it runs anything. */
export { createInstalls, type Installs } from "./create-installs.ts";
export { coversTopic } from "./grants.ts";
export { createPrepareAhead, type PrepareAhead, type PrepareAheadDeps } from "./prepare-ahead.ts";
export type { RunnableInstall, Runnables } from "./create-runnable.ts";
export type { ChangeOptions, InstallsDeps, InstallVault, Purge, SecretEntry } from "./installs-deps.ts";
export type { CommitInstall, InstallEvent, InstallTopic } from "./install-events.ts";
export type { SubscribedInstall } from "./subscribed-installs.ts";
