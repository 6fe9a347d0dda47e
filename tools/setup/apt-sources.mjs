/**
 * Reads which package archives this machine is set up for.
 *
 * Invariant: only enabled binary archives that the administrator configured are returned, each with its own key, in both formats that apt
 * reads (one line, and deb822 stanzas). Addresses come from here and nowhere else: a machine behind a private mirror stays behind it.
 * Source: sources.list(5).
 */

/**
 * @typedef {object} AptSource
 * @property {string} uri
 * @property {string[]} suites
 * @property {string[]} components
 * @property {string | undefined} signedBy a path, fingerprints, or a key block with its continuation lines
 */

/**
 * @param {string} text a `.list` file
 * @returns {AptSource[]}
 */
export function parseOneLineSources(text) {
  const sources = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) continue;
    const [, options = "", uri = "", suite = "", components = ""] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    sources.push({ uri, suites: [suite], components: components.trim().split(/\s+/).filter(Boolean), signedBy });
  }
  return sources;
}

/**
 * @param {string} stanza
 * @returns {Map<string, string>}
 */
function fieldsOf(stanza) {
  const fields = new Map();
  let current = "";
  for (const line of stanza.split("\n")) {
    if (line.startsWith("#")) continue;
    const field = /^([A-Za-z][\w-]*)\s*:(.*)$/.exec(line);
    if (field) {
      current = (field[1] ?? "").toLowerCase();
      fields.set(current, (field[2] ?? "").trim());
    } else if (/^\s/.test(line) && current) fields.set(current, `${fields.get(current)}\n${line}`);
  }
  return fields;
}

/**
 * @param {string} text a `.sources` file
 * @returns {AptSource[]}
 */
export function parseDeb822Sources(text) {
  const words = (/** @type {string | undefined} */ value) => (value ?? "").split(/\s+/).filter(Boolean);
  const sources = [];
  for (const stanza of text.replaceAll("\r", "").split(/\n[ \t]*\n/)) {
    const fields = fieldsOf(stanza);
    if (!words(fields.get("types")).includes("deb") || /^(?:no|false|without|off|disable)$/i.test(fields.get("enabled") ?? "yes")) continue;
    for (const uri of words(fields.get("uris"))) {
      const signedBy = fields.get("signed-by");
      sources.push({ uri, suites: words(fields.get("suites")), components: words(fields.get("components")), signedBy });
    }
  }
  return sources;
}

/**
 * The archives that carry the distribution itself: not the security updates, not other parties' archives.
 *
 * @param {AptSource[]} sources
 * @param {string | undefined} codename VERSION_CODENAME of /etc/os-release
 * @returns {AptSource[]} one of each address
 */
export function distributionArchives(sources, codename) {
  const names = new Set([codename, "stable", "oldstable", "testing", "unstable", "sid"].filter(Boolean));
  const seen = new Set();
  return sources.filter((source) => {
    const isDistribution = source.suites.some((suite) => names.has(suite)) && source.components.includes("main");
    if (!isDistribution || seen.has(source.uri)) return false;
    seen.add(source.uri);
    return true;
  });
}
