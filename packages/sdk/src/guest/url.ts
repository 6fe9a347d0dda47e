/**
 * URL and URLSearchParams for QuickJS: the reference implementation of the WHATWG standard, put in by the build only where they are used.
 */
export { URL, URLSearchParams } from "whatwg-url";
