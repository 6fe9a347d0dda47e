/** The second world holds what the interfaces of WASI say, takes any stable 0.2, and is chosen by what a component exports. */
import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { chooseWorld, type ComponentImport, extensionWorld, resolveImports, wasiHttpWorld } from "../../src/preparation/worlds.ts";
import { createWasiGuest, type GuestFace } from "../../src/wasi/index.ts";
import { wasiTexts } from "./wasi-guests.ts";

const worlds = [extensionWorld, wasiHttpWorld];
const handler = "wasi:http/incoming-handler@0.2.7";

function ruleOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (isAppError(error)) return String(error.params["rule"]);
    throw error;
  }
}

const instance = (name: string, ...functions: string[]): ComponentImport => ({ name, kind: "instance", functions });
const refusalOf = (entry: ComponentImport): string | undefined => ruleOf(() => resolveImports(wasiHttpWorld, [entry]));

/** Functions of an interface as imports name them, without what is marked unstable. */
function functionsOf(text: string): string[] {
  const found: string[] = [];
  let resource = "";
  let isUnstable = false;
  for (const line of text.split("\n").map((entry) => entry.trim())) {
    const begins = /^resource ([a-z0-9-]+)/.exec(line);
    if (begins?.[1] !== undefined) resource = line.endsWith(";") ? "" : begins[1];
    else if (line === "}") resource = "";
    const match = /^%?([a-z0-9-]+): (static )?func\(/.exec(line);
    const name = match?.[1];
    if (name !== undefined && !isUnstable)
      found.push(resource === "" ? name : `[${match?.[2] === undefined ? "method" : "static"}]${resource}.${name}`);
    if (line.startsWith("constructor(")) found.push(`[constructor]${resource}`);
    if (line !== "" && !line.startsWith("//")) isUnstable = line.startsWith("@unstable");
  }
  return found;
}

async function interfaces(): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>();
  for (const [name, text] of await wasiTexts())
    for (const [, own, body] of text.matchAll(/^interface ([a-z0-9-]+) \{$([^]*?)^\}$/gm))
      all.set(`wasi:${name}/${own}`, functionsOf(body ?? ""));
  return all;
}

describe("the world of wasi:http", () => {
  it("has every function of each interface it provides", async () => {
    const written = await interfaces();
    expect(written.size).toBeGreaterThan(20);
    for (const name of wasiHttpWorld.interfaces) {
      const functions = (wasiHttpWorld.functions ?? [])
        .filter((entry) => entry.startsWith(`${name}@0.2.0#`))
        .map((entry) => entry.split("#")[1] ?? "");
      if (functions.includes("*")) expect(written.has(name)).toBe(true);
      else expect(functions.toSorted(), name).toEqual(written.get(name)?.toSorted());
    }
  });

  it("provides all that wasi:http/proxy and wasi:cli import, but for time zones", async () => {
    const missing = [...(await interfaces()).keys()].filter((name) => !wasiHttpWorld.interfaces.includes(name));
    expect(missing).toEqual(["wasi:clocks/timezone", "wasi:cli/run", "wasi:http/incoming-handler"]);
  });

  it("has a shim for each of them", async () => {
    const nothing = (): never => {
      throw new Error("not to be called");
    };
    const face: GuestFace = {
      ...{ work: () => undefined, charge: () => undefined, log: () => undefined, setTimeout: () => 0, clearTimeout: () => undefined },
      ...{ end: nothing, exit: nothing, fetch: nothing, wait: nothing, resultBytes: 1 },
    };
    const { imports } = createWasiGuest(face);
    const camel = (name: string): string => name.replace(/-([a-z0-9])/g, (_dash, letter: string) => letter.toUpperCase());
    for (const [name, functions] of await interfaces()) {
      if (!wasiHttpWorld.interfaces.includes(name)) continue;
      const shim: unknown = Reflect.get(imports, name);
      if (typeof shim !== "object" || shim === null) throw new Error(`no ${name}`);
      const isOpen = (wasiHttpWorld.functions ?? []).includes(`${name}@0.2.0#*`);
      for (const entry of functions) {
        const [, kind, resource = "", fn = ""] = /^\[([a-z]+)\]([a-z0-9-]+)\.?(.*)$/.exec(entry) ?? [];
        const type = camel(`-${resource}`);
        const where =
          kind === undefined
            ? shim
            : kind === "constructor"
              ? shim
              : kind === "static"
                ? Reflect.get(shim, type)
                : Reflect.get(shim, type)?.prototype;
        if (isOpen && kind !== undefined) expect(typeof Reflect.get(shim, type), entry).toBe("function");
        else
          expect(
            typeof Reflect.get(where, kind === undefined ? camel(entry) : kind === "constructor" ? type : camel(fn)),
            `${name} ${entry}`,
          ).toBe("function");
      }
    }
  });

  it("takes any stable 0.2 and nothing else", () => {
    for (const version of ["0.2.0", "0.2.3", "0.2.99", "0.2.0+build"])
      expect(refusalOf(instance(`wasi:random/random@${version}`, "get-random-u64"))).toBeUndefined();
    for (const version of ["0.1.0", "0.3.0", "1.0.0", "0.2.0-rc-2023-11-10"]) {
      expect(refusalOf(instance(`wasi:random/random@${version}`, "get-random-u64"))).toBe("import.version");
      expect(refusalOf(instance(`wasi:filesystem/types@${version}`, "[method]descriptor.read"))).toBe("import.version");
    }
    expect(refusalOf(instance("wasi:random/random", "get-random-u64"))).toBe("import.version");
  });

  it("refuses what it does not have", () => {
    expect(refusalOf(instance("wasi:keyvalue/store@0.2.0", "open"))).toBe("import.unknown");
    expect(refusalOf(instance("wasi:http/types@0.2.0", "[method]response-outparam.send-informational"))).toBe("import.unknown");
    expect(refusalOf(instance("althing:extension/kv@1.0.0", "get"))).toBe("import.unknown");
  });

  it("answers asynchronously only what a guest waits in, under the component's own version", () => {
    expect(resolveImports(wasiHttpWorld, [instance("wasi:io/poll@0.2.12", "poll"), instance("wasi:io/streams@0.2.12")])).toEqual([
      "wasi:io/poll@0.2.12#poll",
      "wasi:io/poll@0.2.12#[method]pollable.block",
    ]);
  });
});

describe("the choice of a world", () => {
  it("follows the exports", () => {
    expect(chooseWorld(worlds, ["handle"])).toEqual({ world: extensionWorld, asyncExports: ["handle"] });
    expect(chooseWorld(worlds, [handler])).toEqual({ world: wasiHttpWorld, asyncExports: [`${handler}#handle`] });
  });

  it("takes the platform's own when there are both", () => {
    expect(chooseWorld(worlds, [handler, "handle"]).world).toBe(extensionWorld);
  });

  it("refuses what has neither, or the handler in another version", () => {
    for (const exports of [
      [],
      ["run"],
      ["wasi:http/incoming-handler@0.3.0"],
      ["wasi:http/incoming-handler@0.2.0-rc-2023-11-10"],
      ["wasi:http/incoming-handler"],
    ])
      expect(ruleOf(() => chooseWorld(worlds, exports))).toBe("export.missing");
  });
});
