/** Public face of the contract: what every process agrees on. */
// First: it decides how all schemas below are made.
export * from "./interpret-schemas.ts";
export * from "./app-error.ts";
export * from "./community-schemas.ts";
export * from "./config.ts";
export * from "./errors.ts";
export * from "./extension-schemas.ts";
export * from "./ids.ts";
export * from "./limits.ts";
export * from "./openapi.ts";
export * from "./permissions.ts";
export * from "./plugin-policy.ts";
export * from "./route.ts";
export * from "./routes.ts";
export * from "./routes-extension.ts";
export * from "./runner-protocol.ts";
export * from "./schemas.ts";
export * from "./subjects.ts";
export * from "./supervision.ts";
