/**
 * The host of a community plane that stands without packages: none is installed, so no job is due.
 *
 * Invariant: it answers as an instance without packages does.
 */
import { AppError } from "@althing/contract";
import type { JobHost } from "./job-host.ts";

const notFound = (install: string) => Promise.reject(new AppError("install.not_found", { install }));

export const noPackages: JobHost = {
  activeIn: () => Promise.resolve([]),
  active: () => Promise.resolve(undefined),
  locate: (_community, install) => notFound(install),
  show: (_caller, _community, install) => notFound(install),
  blockOf: () => Promise.resolve(undefined),
  nextRuns: () => [],
  invoke: () => Promise.resolve({ status: "unconfirmed" }),
};
