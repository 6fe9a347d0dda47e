/** Face of the public listener of extension pages. See docs/architecture/runner.md. */
export { createExtUiListener, type ExtUiListenerOptions } from "./ext-ui-listener.ts";
export { readPagePlace, type PagePlace } from "./page-policy.ts";
