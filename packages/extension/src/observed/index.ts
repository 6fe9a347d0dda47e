/** Face of what is seen of packages at work. */
export { dryRunPolicy, type DryRunDeps, type JudgedInstall, type PolicyDryRun } from "./dry-run.ts";
export { readPackagesUsage, type PackagesUsage } from "./instance-usage.ts";
export { createObserved, type Located, type Observed, type ObservedDeps } from "./observed.ts";
