import { expect, test } from "vitest";
import { devVersion, requireLoopback } from "./dev-session.ts";

test("versions of development are pre-releases of the manifest's, and stay so", () => {
  expect(devVersion("1.2.3", 7)).toBe("1.2.3-dev.7");
  expect(devVersion("1.2.3-beta.1", 8)).toBe("1.2.3-dev.8");
});

test.each(["http://localhost:8470", "http://127.0.0.1:1", "http://[::1]:8470"])("%s is this machine", (url) => {
  expect(() => requireLoopback([url])).not.toThrow();
});

test.each(["https://althing.example", "http://127.0.0.1.example:1", "https://10.0.0.1"])("%s is another machine", (url) => {
  expect(() => requireLoopback(["http://localhost:8470", url])).toThrow(expect.objectContaining({ code: "cli.usage" }));
});
