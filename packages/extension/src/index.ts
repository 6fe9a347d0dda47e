/** Public face of the extension plane. */
export * from "./bundle/index.ts";
export * from "./fetcher/index.ts";
export * from "./manifest/index.ts";
export * from "./trust/index.ts";
