import { expect, test } from "vitest";
import { createOrigins, originsOf, printable } from "./origins.ts";

test("an authority is found with its port, with the default port written out, and in any case", () => {
  const origins = createOrigins(["https://Play.Example", "http://localhost:8470", "http://[::1]:8470/"]);
  expect(origins.forAuthority("play.example")).toBe("https://play.example");
  expect(origins.forAuthority("play.example:443")).toBe("https://play.example");
  expect(origins.forAuthority("LOCALHOST:8470")).toBe("http://localhost:8470");
  expect(origins.forAuthority("[::1]:8470")).toBe("http://[::1]:8470");
  expect(origins.webSocketSources).toEqual(["wss://play.example", "ws://localhost:8470"]);
});

test.each([
  "play.example:80",
  "play.example.evil",
  "evil.play.example",
  "",
  "localhost",
  "localhost:8471",
  "user@localhost:8470",
  "__proto__",
])("%s is not one of ours", (host) => {
  const origins = createOrigins(["https://play.example", "http://localhost:8470"]);
  expect(() => origins.forAuthority(host)).toThrow("This instance is not");
});

test.each(["play.example", "https://a/path", "ftp://a", "https://u:p@a", "https://a?x", "*"])("%s is no origin", (entry) => {
  expect(() => createOrigins([entry])).toThrow("origins");
});

test("without a list the loopback names with the hub's port are taken, https with a certificate", () => {
  const ports = { hub: 1, runner: 2, nats: 3, natsWs: 4, routes: 5, internal: 6 };
  for (const host of ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"])
    expect(originsOf({ origins: [], host, ports, tls_cert: undefined })).toEqual([
      "http://localhost:1",
      "http://127.0.0.1:1",
      "http://[::1]:1",
    ]);
  expect(originsOf({ origins: [], host: "::", ports, tls_cert: "c" })[0]).toBe("https://localhost:1");
  expect(printable("\u0000a b\u202e")).toBe("?a?b?");
});

test("where one address is listened on, it is the origin: the loopback names would lead nowhere", () => {
  const ports = { hub: 1, runner: 2, nats: 3, natsWs: 4, routes: 5, internal: 6 };
  const of = (host: string) => originsOf({ origins: [], host, ports, tls_cert: "c" });
  const authorities = ["10.0.0.5", "fd00::5", "play.example"].flatMap((host) => of(host).map((origin) => new URL(origin).host));
  expect(authorities).toEqual(["10.0.0.5:1", "[fd00::5]:1", "play.example:1"]);
});
