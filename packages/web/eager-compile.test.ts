import { describe, expect, it } from "vitest";
import { eagerCompile } from "./eager-compile.ts";

const chunk = (fileName: string, imports: readonly string[], isEntry = false) => ({
  ...{ type: "chunk", fileName, isEntry, imports, dynamicImports: ["late.js"], code: `import "./x.js";` },
});

describe("scripts of the first load", () => {
  it("are marked once, with all they import, and nothing that is loaded later", () => {
    const bundle = {
      "late.js": chunk("late.js", ["shared.js"]),
      "shared.js": chunk("shared.js", ["index.js"]),
      "other.js": chunk("other.js", ["shared.js"]),
      "index.js": chunk("index.js", ["shared.js", "other.js"], true),
      "index.css": { type: "asset", fileName: "index.css", source: "" },
    };
    const { generateBundle } = eagerCompile();
    if (typeof generateBundle !== "function") throw new TypeError("the hook is a function");
    Reflect.apply(generateBundle, undefined, [{}, bundle, true]);
    const isMarked = (name: keyof typeof bundle) =>
      /^\/\/# allFunctionsCalledOnLoad\nimport "\.\/x\.js";$/.test(Reflect.get(bundle[name], "code") as string);
    expect(["index.js", "shared.js", "other.js"].map((name) => isMarked(name as keyof typeof bundle))).toEqual([true, true, true]);
    expect(bundle["late.js"].code).toBe(`import "./x.js";`);
    expect(bundle["index.css"]).toEqual({ type: "asset", fileName: "index.css", source: "" });
  });
});
