import { expect, test } from "vitest";
import {
  checkPattern,
  classifyAddress,
  createGuardedFetcher,
  interfaceAddresses,
  matchesPattern,
  readPrivateHosts,
  type PrivateHost,
} from "./index.ts";
import { parseRange } from "./classify-address.ts";
import { specialIpv4Blocks, specialIpv6Blocks } from "./special-addresses.ts";

const entry: PrivateHost = { use: "registry", scheme: "http", host: "registry.local", port: 5_000, cidr: "10.20.0.0/16" };
const fetcher = createGuardedFetcher({
  clock: Date,
  privateHosts: [entry, { ...entry, scheme: "https", host: "fd00::7", port: 443, cidr: "fd00::/64" }],
});
/** Apart, because the repository's files name no host beyond examples. */
const at = (scheme: string, rest: string) => `${scheme}://${rest}`;
const ruleOf = (url: string, allowlist?: readonly string[] | null) => {
  const checked = fetcher.checkUrl("registry", url, allowlist);
  return checked.ok ? "ok" : checked.refusal.rule;
};

test.each([
  ["https://example.org/a?b", "ok"],
  [at("https", "example.org./"), "ok"],
  ["https://_x-.example.org/", "ok"],
  ["http://example.org/", "scheme"],
  ["ftp://example.org/", "scheme"],
  ["file:///etc/passwd", "scheme"],
  ["https://example.org:8443/", "port"],
  ["https://example.org:0/", "port"],
  ["https://user@example.org/", "userinfo"],
  ["https://:secret@example.org/", "userinfo"],
  ["https://localhost/", "reserved_name"],
  [at("https", "LOCALHOST./"), "reserved_name"],
  ["https://a.b.localhost/", "reserved_name"],
  [at("https", "printer.local/"), "reserved_name"],
  ["https://printer%2elocal/", "reserved_name"],
  ["https://printer\u3002local/", "reserved_name"],
  ["https://notlocal/", "ok"],
  [at("https", "93.184.215.14/"), "ip_literal"],
  ["https://0x5db8d70e/", "ip_literal"],
  [at("https", "93.184.215.14./"), "ip_literal"],
  [at("https", "[2606:4700:4700::1111]/"), "ip_literal"],
  ["https://a..example.org/", "host_name"],
  [at("https", "example.org../"), "host_name"],
  [`https://${"a".repeat(64)}.example.org/`, "host_name"],
  [`https://${"a.".repeat(127)}org/`, "host_name"],
  ["https://a*b.example.org/", "host_name"],
  [`https://example.org/${"a".repeat(9_000)}`, "url_length"],
  ["example.org", "invalid_url"],
  ["", "invalid_url"],
])("before any look-up %s is %s", (url, rule) => {
  expect(ruleOf(url)).toBe(rule);
});

test("an exception opens exactly its place, reserved names and literals included, and nothing beside it", () => {
  expect(ruleOf(at("http", "registry.local:5000/x"))).toBe("ok");
  expect(ruleOf(at("https", "[fd00::7]/"))).toBe("ok");
  expect(ruleOf(at("http", "registry.local:5000/x"), ["registry.local"])).toBe("ok");
  expect(ruleOf(at("http", "registry.local:5000/x"), ["other.example.org"])).toBe("allowlist");
  expect(ruleOf("http://user@registry.local:5000/")).toBe("userinfo");
  expect(ruleOf(at("https", "registry.local:5000/"))).toBe("reserved_name");
  expect(ruleOf(at("http", "registry.local/"))).toBe("scheme");
  expect(ruleOf(at("http", "a.registry.local:5000/"))).toBe("scheme");
  expect(ruleOf(at("https", "[fd00::8]/"))).toBe("ip_literal");
  expect(fetcher.checkUrl("egress", at("http", "registry.local:5000/"), ["registry.local"])).toMatchObject({
    ok: false,
    refusal: { rule: "scheme" },
  });
});

test("what is shown of a refused address holds no password, path secret or query", () => {
  for (const url of [
    "https://user:hunter2@example.org/",
    "ht!tp://user:hunter2@example.org/",
    "https://a b?token=hunter2",
    "https://a b#hunter2",
    "https://user:hunter2@exa mple.org/",
  ]) {
    expect(JSON.stringify(fetcher.checkUrl("registry", url)), url).not.toContain("hunter2");
  }
});

test("a target is in one form: final dot and fragment gone, so that certificate, Host and look-up name the same", () => {
  const checked = fetcher.checkUrl("registry", at("HTTPS", "Example.ORG.:443/a/../b?c#d"));
  expect(checked.ok && [checked.target.url.href, checked.target.host, checked.target.port]).toEqual([
    "https://example.org/b?c",
    "example.org",
    443,
  ]);
});

test.each([
  ["use", { use: "other" }],
  ["scheme", { scheme: "ftp" }],
  ["host", { host: "*.example.org" }],
  ["host", { host: "Registry.example.org" }],
  ["host", { host: "registry.example.org." }],
  ["host", { host: "registry.example.org:5000" }],
  ["host", { host: "127.1" }],
  ["host", { host: "" }],
  ["port", { port: 0 }],
  ["port", { port: 1.5 }],
  ["cidr", { cidr: "10.20.0.1/16" }],
  ["cidr", { cidr: "10.20.0.0/33" }],
  ["cidr", { cidr: "::ffff:10.0.0.0/104/1" }],
  ["cidr", { cidr: "" }],
])("an exception whose %s is not exact (%j) is refused with its place", (field, change) => {
  expect(() => readPrivateHosts([entry, { ...entry, ...change } as PrivateHost])).toThrow(
    expect.objectContaining({ code: "config.invalid", params: expect.objectContaining({ key: `privateHosts[1].${field}` }) }),
  );
});

test.each([
  ["EXAMPLE.org", "example.org"],
  ["*.Example.org", "*.example.org"],
])("the pattern %s is stored as %s", (pattern, stored) => {
  expect(checkPattern(pattern)).toEqual({ ok: true, pattern: stored });
});

test.each([
  ["", "empty"],
  ["*", "wildcard"],
  ["*example.org", "wildcard"],
  ["a.*.example.org", "wildcard"],
  ["example.*", "wildcard"],
  ["*.*.example.org", "wildcard"],
  ["*.org", "too_wide"],
  ["*.", "host_name"],
  ["intranet", "host_name"],
  ["example.org.", "host_name"],
  ["example.org:443", "host_name"],
  ["example.org/", "host_name"],
  ["https://example.org", "host_name"],
  ["user@example.org", "host_name"],
  ["a_b.example.org", "host_name"],
  ["example.org\n", "host_name"],
  ["example.org\0", "host_name"],
  ["example.123", "host_name"],
  ["bücher.example", "non_ascii"],
  ["ex\u0430mple.org", "non_ascii"],
  ["localhost", "reserved_name"],
  ["*.localhost", "reserved_name"],
  ["a.local", "reserved_name"],
  ["10.0.0.1", "ip_literal"],
  ["0x7f.1", "ip_literal"],
  ["2130706433", "ip_literal"],
  ["[::1]", "ip_literal"],
])("the pattern %j is refused by rule %s", (pattern, rule) => {
  expect(checkPattern(pattern)).toMatchObject({ ok: false, rule });
});

test("a star stands for one label or more, never for none and never for part of one", () => {
  const hosts = [
    "a.example.org",
    "a.b.example.org",
    "example.org",
    "aexample.org",
    ".example.org",
    "a.example.org.evil.example",
    "A.EXAMPLE.ORG.",
  ];
  expect(hosts.map((host) => matchesPattern("*.example.org", host))).toEqual([true, true, false, false, false, false, true]);
});

test("both ends of every block of the table are refused", () => {
  for (const [cidr] of [...specialIpv4Blocks, ...specialIpv6Blocks]) {
    const range = parseRange(cidr);
    if (!range) throw new Error(cidr);
    const [network, prefix] = range;
    const bytes = network.toByteArray().map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, prefix - index * 8))));
    const last =
      bytes.length === 4
        ? bytes.join(".")
        : Array.from({ length: 8 }, (_, i) => (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16)).join(":");
    expect(classifyAddress(network.toString()), cidr).not.toBe("public");
    expect(classifyAddress(last), `${cidr} ${last}`).not.toBe("public");
  }
});

test.each([
  "",
  "1",
  "127.1",
  "0x7f.0.0.1",
  "010.0.0.1",
  "1.2.3.4/8",
  "fe80::1%eth0",
  "2606:4700::1111%1",
  " 1.1.1.1",
  "1.1.1.1\n",
  "::ffff:1.1.1.1.1",
])("%j is no address in strict form and therefore not public", (text) => {
  expect(classifyAddress(text)).toBe("invalid");
});

test("this machine's own addresses are known, loopback among them", () => {
  expect(interfaceAddresses()).toContain("127.0.0.1");
});
