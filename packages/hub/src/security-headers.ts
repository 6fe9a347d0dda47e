/**
 * Headers that every answer carries, so that a browser never does more with it than shown here.
 *
 * Invariant: the page runs own scripts and styles only (no inline code, no eval, no frames around it, no base or form tricks) and connects to
 * this instance only. Everything else gets a policy under which nothing runs, whatever the bytes are taken for.
 */
const common = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
} as const;

/** Answers of the API and errors: nothing may be loaded, kept or embedded. */
export const apiHeaders: Readonly<Record<string, string>> = {
  ...common,
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
};

/** The page and its assets. @param webSocketSources `ws://host:port` of each origin */
export function pageHeaders(webSocketSources: readonly string[]): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "manifest-src 'self'",
    `connect-src ${["'self'", ...webSocketSources].join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    ...common,
    "content-security-policy": policy.join("; "),
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
  };
}
