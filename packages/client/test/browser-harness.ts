/**
 * What the browser test puts into a page: the library's public face, from the same source as in Node.
 *
 * Invariant: used by tests only; the shipped page has no such door.
 */
import * as althing from "../src/index.ts";

declare global {
  interface Window {
    althing: typeof althing;
  }
}

window.althing = althing;
