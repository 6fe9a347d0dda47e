import { expect, test } from "vitest";
import { secretNames, substituteSecrets } from "./header-secrets.ts";
import { createKnownSecrets } from "./known-secrets.ts";

const secrets = [
  { name: "A", value: "value-a", hosts: ["api.example.org"] },
  { name: "B", value: "$& $1 {{secret:A}}", hosts: ["*.example.org"] },
  { name: "C", value: "value-c", hosts: [] },
];
const substitute = (value: string, host = "api.example.org") =>
  substituteSecrets([["x", value]], host, secrets, createKnownSecrets())[0]?.[1];

test.each([
  ["Bearer {{secret:A}}", "Bearer value-a"],
  ["{{secret:A}}{{secret:A}}", "value-avalue-a"],
  ["none {{secret:}} {{secret:a b}} {secret:A}", "none {{secret:}} {{secret:a b}} {secret:A}"],
])("%s becomes %s", (given, sent) => {
  expect(substitute(given)).toBe(sent);
});

test("a value is put in as it is, and not looked into again", () => {
  expect(substitute("{{secret:B}}")).toBe("$& $1 {{secret:A}}");
});

test.each([
  ["A", "evil.example.org"],
  ["A", "api.example.org.evil.com"],
  ["B", "example.org"],
  ["C", "api.example.org"],
])("%s does not go to %s", (name, host) => {
  expect(() => substitute(`{{secret:${name}}}`, host)).toThrow(expect.objectContaining({ code: "capability.denied" }));
});

test("an unknown name is not found, also one that every object has", () => {
  for (const name of ["D", "constructor", "__proto__"]) {
    expect(() => substitute(`{{secret:${name}}}`)).toThrow(expect.objectContaining({ code: "secret.not_found" }));
  }
});

test("names are found in values only, each once, and no more than ten", () => {
  expect(
    secretNames([
      ["{{secret:NAME}}", "{{secret:B}} {{secret:A}}"],
      ["y", "{{secret:B}}"],
    ]),
  ).toEqual(["B", "A"]);
  const eleven = Array.from({ length: 11 }, (_, i) => `{{secret:S${i}}}`).join("");
  expect(() => secretNames([["x", eleven]])).toThrow(expect.objectContaining({ code: "capability.bad_argument" }));
});
