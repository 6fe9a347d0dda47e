/** Face of quotas. */
export { createQuotas, type Consumption, type QuotaLease, type QuotaRequest, type Quotas } from "./quotas.ts";
