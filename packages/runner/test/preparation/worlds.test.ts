/** The extension world is the WIT file's, and imports are held against it. */
import { readFileSync } from "node:fs";
import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { type ComponentImport, extensionWorld, type GuestWorld, resolveImports } from "../../src/preparation/worlds.ts";

const wit = readFileSync(new URL("../../../contract/wit/extension.wit", import.meta.url), "utf8");

function refusalOf(world: GuestWorld, imports: readonly ComponentImport[]): string | undefined {
  try {
    resolveImports(world, imports);
    return undefined;
  } catch (error) {
    if (isAppError(error)) return String(error.params["rule"]);
    throw error;
  }
}

const instance = (name: string, ...functions: string[]): ComponentImport => ({ name, kind: "instance", functions });

describe("the extension world", () => {
  it("has the interfaces, functions and exports of the WIT file", () => {
    const version = /package althing:extension@([\d.]+);/.exec(wit)?.[1];
    const bodies = [...wit.matchAll(/^interface ([a-z-]+) \{$([^]*?)^\}$/gm)];
    expect(extensionWorld.interfaces.toSorted()).toEqual(bodies.map(([, name]) => `althing:extension/${name}`).sort());
    const functions = bodies.flatMap(([, name, text = ""]) =>
      [...text.matchAll(/^ *%?([a-z-]+): func\(/gm)].map(([, fn]) => `althing:extension/${name}@${version}#${fn}`),
    );
    expect(functions.length).toBeGreaterThan(10);
    expect(extensionWorld.functions?.toSorted()).toEqual(functions.sort());
    expect(extensionWorld.asyncImports).toEqual(extensionWorld.functions);
    const world = /^world extension \{$([^]*?)^\}$/m.exec(wit)?.[1] ?? "";
    expect(extensionWorld.asyncExports).toEqual([...world.matchAll(/export ([a-z-]+): func/g)].map(([, name]) => name));
    const imported = [...world.matchAll(/import ([a-z-]+);/g)].map(([, name]) => `althing:extension/${name}`);
    expect(extensionWorld.interfaces).toEqual(expect.arrayContaining(imported));
  });
});

describe("imports", () => {
  it("of known functions become asynchronous under the version the component writes", () => {
    expect(
      resolveImports(extensionWorld, [
        instance("althing:extension/kv@1.2.3", "get"),
        { name: "context", kind: "type", functions: undefined },
      ]),
    ).toEqual(["get", "put", "delete", "list-entries"].map((fn) => `althing:extension/kv@1.2.3#${fn}`));
  });

  it("of unknown interfaces, functions and bare functions are refused", () => {
    expect(refusalOf(extensionWorld, [instance("wasi:http/types@0.2.0")])).toBe("import.unknown");
    expect(refusalOf(extensionWorld, [instance("althing:extension/kv2@1.0.0")])).toBe("import.unknown");
    expect(refusalOf(extensionWorld, [instance("althing:extension/kv@1.0.0", "drop-all")])).toBe("import.unknown");
    expect(refusalOf(extensionWorld, [{ name: "kv", kind: "function", functions: undefined }])).toBe("import.unknown");
    expect(refusalOf(extensionWorld, [{ name: "althing:extension/kv@1.0.0", kind: "instance", functions: undefined }])).toBe(
      "import.unknown",
    );
  });

  it("of another major version, or of none, are refused", () => {
    expect(refusalOf(extensionWorld, [instance("althing:extension/kv@2.0.0", "get")])).toBe("import.version");
    expect(refusalOf(extensionWorld, [instance("althing:extension/kv", "get")])).toBe("import.version");
  });

  it("match by prefix where the world gives one, and by minor version below 1.0", () => {
    const world: GuestWorld = {
      profile: "wasi-http",
      interfaces: ["wasi:io/*"],
      asyncImports: ["wasi:io/poll@0.2.0#poll"],
      asyncExports: [],
    };
    expect(resolveImports(world, [instance("wasi:io/poll@0.2.12", "poll", "other"), instance("wasi:io/streams@0.2.12")])).toEqual([
      "wasi:io/poll@0.2.12#poll",
    ]);
    expect(refusalOf(world, [instance("wasi:iox/poll@0.2.0")])).toBe("import.unknown");
    expect(refusalOf(world, [instance("wasi:io/poll@0.3.0", "poll")])).toBe("import.version");
  });
});
