import { expect, test } from "vitest";
import { fileName } from "./save-file.ts";

test.each([
  ["Water the beds!", "water-the-beds-receipt.txt"],
  ["../../etc/passwd", "etc-passwd-receipt.txt"],
  ["שלום עולם", "שלום-עולם-receipt.txt"],
  ["<>:|?*", "vote-receipt.txt"],
  ["x".repeat(200), `${"x".repeat(40)}-receipt.txt`],
])("the title %j makes a name that every file system takes", (title, name) => {
  expect(fileName(title, "receipt.txt")).toBe(name);
});
