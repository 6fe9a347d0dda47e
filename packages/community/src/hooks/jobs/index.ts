/** Face of jobs. */
export { createJobs, type Jobs, type JobsDeps, type JobTimes } from "./create-jobs.ts";
export type { JobCall, JobEnd, JobHost, JobInstall, JobPlace, JobResult } from "./job-host.ts";
export { noPackages } from "./no-packages.ts";
