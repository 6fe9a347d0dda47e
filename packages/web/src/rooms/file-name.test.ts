import { describe, expect, it } from "vitest";
import { safeFileName } from "./file-name.ts";

describe("the name a file is saved under", () => {
  it.each([
    ["minutes of May.pdf", "minutes of May.pdf"],
    ["../../.bashrc", "__.._.bashrc"],
    [".profile", "_profile"],
    ["photo\u202Egpj.exe", "photogpj.exe"],
    ["a\u0000b\n.txt", "ab.txt"],
    ["C:\\con|x?.txt", "C__con_x_.txt"],
    ["נוף.txt", "נוף.txt"],
    ["  ", "file"],
    [undefined, "file"],
    [`${"x".repeat(300)}.tar`, `${"x".repeat(116)}.tar`],
  ])("%j becomes %j", (name, safe) => {
    expect(safeFileName(name, "file")).toBe(safe);
  });
});
