/** The at-rest key's setting: where it may come from, and what it excludes. */
import { expect, test } from "vitest";
import { resolveConfig } from "./config.ts";

const resolve = (flags: Record<string, unknown>, env: Record<string, string> = {}) => resolveConfig({ flags, env, file: {} }).config;
const external = { nats_url: "nats://127.0.0.1:4222", nats_acl_file: "/etc/nats/acl.conf", nats_pid_file: "/run/nats.pid" };

test("it is absent unless given, as a flag or by the environment", () => {
  expect(resolve({}).at_rest_key_file).toBeUndefined();
  expect(resolve({ at_rest_key_file: "a.key" }).at_rest_key_file).toBe("a.key");
  expect(resolve({}, { ALTHING_AT_REST_KEY_FILE: "b.key" }).at_rest_key_file).toBe("b.key");
});

test("a key itself is no setting, and a nats-server of the operator's cannot be given one", () => {
  expect(() => resolve({}, { ALTHING_AT_REST_KEY: "secret" })).toThrow(expect.objectContaining({ code: "config.unknown_key" }));
  expect(resolve(external).nats_url).toBe(external.nats_url);
  expect(() => resolve({ ...external, at_rest_key_file: "a.key" })).toThrow(expect.objectContaining({ code: "config.invalid" }));
});
