/** What counts as a place in a trace, and where traces may be sent. */
import { describe, expect, test } from "vitest";
import { AppError } from "./app-error.ts";
import { resolveConfig } from "./config.ts";
import { parseTraceparent } from "./runner-protocol.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";

describe("a traceparent", () => {
  test.each([
    [`00-${trace}-${span}-01`, 1],
    [`00-${trace}-${span}-00`, 0],
    [`00-${trace}-${span}-ff`, 255],
    [`cc-${trace}-${span}-01`, 1],
    [`cc-${trace}-${span}-01-what-a-later-version-adds`, 1],
  ])("%s is read", (text, flags) => {
    expect(parseTraceparent(text)).toEqual({ traceId: trace, spanId: span, flags });
  });

  test.each([
    "",
    "00",
    `ff-${trace}-${span}-01`,
    `0-${trace}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${trace}-${span}-0`,
    `00-${trace}-${span}-01-more`,
    `cc-${trace}-${span}-01more`,
    `00-${trace}-${span}-01\n`,
    ` 00-${trace}-${span}-01`,
    `00-${trace}${trace}-${span}-01`,
    `00_${trace}_${span}_01`,
  ])("%j is none", (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

describe("the receiver of traces", () => {
  const resolve = (env: Record<string, string>, flags: Record<string, unknown> = {}) =>
    resolveConfig({ flags, env, file: {} }).config.otlp_endpoint;

  test("is none by default, and named by the flag before the usual variable", () => {
    expect(resolve({})).toBeUndefined();
    expect(resolve({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://a.example" })).toBe("https://a.example");
    expect(resolve({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://a.example" }, { otlp_endpoint: "http://[::1]:4318" })).toBe("http://[::1]:4318");
  });

  test.each(["https://collector.example:4318/base", "http://localhost:4318", "http://127.0.0.1:4318/"])("may be %s", (url) => {
    expect(resolve({}, { otlp_endpoint: url })).toBe(url);
  });

  test.each([
    "",
    "collector:4318",
    "http://collector.example:4318",
    "http://10.0.0.1:4318",
    "http://localhost.example:4318",
    "grpc://127.0.0.1:4317",
    "file:///etc/passwd",
    "https://user@collector.example",
    "https://:pass@collector.example",
    "https://collector.example/?key=1",
    "https://collector.example/#a",
  ])("may not be %j", (url) => {
    expect(() => resolve({}, { otlp_endpoint: url })).toThrow(AppError);
    expect(() => resolve({}, { otlp_endpoint: url })).toThrow(expect.objectContaining({ code: "config.invalid" }));
  });
});
