/** Settings between machines: mutual TLS or nothing, and nothing half. */
import { expect, test } from "vitest";
import { isAppError } from "./app-error.ts";
import { peerListener, resolveConfig, settings, type Config } from "./config.ts";

const resolve = (file: Record<string, unknown>): Config => resolveConfig({ flags: {}, env: {}, file }).config;
const sixth = "[fd00::1]";
const whole = {
  internal_tls_url: "https://hub.example:8476",
  ...{ internal_tls_cert: "a.pem", internal_tls_key: "a.key", internal_tls_ca: "ca.pem" },
};

function refusal(file: Record<string, unknown>): unknown {
  try {
    resolve(file);
    return "taken";
  } catch (error) {
    return isAppError(error) ? [error.code, error.params["key"] ?? error.params["host"]] : error;
  }
}

test("without them there is no listener for other machines, also when every value is handed on", () => {
  const config = resolve({});
  expect(peerListener(config)).toBeUndefined();
  const flags = Object.fromEntries(Object.entries(config).filter(([name]) => Object.hasOwn(settings, name)));
  expect(peerListener(resolveConfig({ flags, env: {}, file: {} }).config)).toBeUndefined();
});

test("the address says name and port; the listener is on loopback unless told otherwise", () => {
  expect(peerListener(resolve(whole))).toEqual({
    url: "https://hub.example:8476",
    name: "hub.example",
    binding: { host: "127.0.0.1", port: 8476 },
    files: { cert: "a.pem", key: "a.key", ca: "ca.pem" },
  });
  expect(peerListener(resolve({ ...whole, internal_tls_url: `https://${sixth}/`, internal_tls_host: sixth }))).toMatchObject({
    ...{ url: `https://${sixth}`, name: "fd00::1", binding: { host: "fd00::1", port: 443 } },
  });
});

test.each(["internal_tls_cert", "internal_tls_key", "internal_tls_ca", "internal_tls_url"] as const)(
  "without %s the others are refused",
  (name) => {
    const { [name]: _left, ...rest } = whole;
    expect(refusal(rest)).toEqual(["config.invalid", name]);
    expect(refusal({ ...rest, internal_tls_host: "0.0.0.0" })).toEqual(["config.insecure_bind", "0.0.0.0"]);
  },
);

test("other machines are reached with mutual TLS only", () => {
  for (const key of ["runner_base_url", "hub_internal_url"]) {
    expect(refusal({ [key]: ["https://r1.example:8477"] })).toEqual(["config.invalid", "internal_tls_url"]);
    expect(refusal({ ...whole, [key]: ["https://r1.example:8477", "https://10.0.0.12:1/"] })).toBe("taken");
    for (const url of [
      ...["http://r1.example:8477", "http://127.0.0.1:8477", "r1.example:8477", "", "https://r1.example:99999"],
      ...["https://r1.example:8477/base", "https://r1.example:8477/?a", "https://u:p@r1.example:8477", "https://r1.example:8477/#a"],
    ])
      expect(refusal({ ...whole, [key]: ["https://r0.example:1", url] }), url).toEqual(["config.invalid", key]);
  }
  expect(refusal({ ...whole, internal_tls_url: "http://hub.example:8476" })).toEqual(["config.invalid", "internal_tls_url"]);
  expect(refusal({ internal_tls_host: "10.0.0.1" })).toEqual(["config.insecure_bind", "10.0.0.1"]);
});
