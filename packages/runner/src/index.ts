/** The runner: metering of core modules. */
export * from "./metering/index.ts";
