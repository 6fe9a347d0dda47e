/** The name check: nothing that could end a string, template, comment or statement reaches the transpiler, in any position. */
import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { isExpectedCoreName } from "../../src/preparation/component-names.ts";
import { walkComponent } from "../../src/preparation/component-walk.ts";
import { buildComponent, custom, echoComponent, type EchoNames, externName, section, text, vector } from "./component-builder.ts";
import { hostileTexts } from "./hostile-texts.ts";

function ruleOf(component: Uint8Array): string {
  try {
    walkComponent(component);
    return "passed";
  } catch (error) {
    if (isAppError(error)) return String(error.params["rule"]);
    throw error;
  }
}

/** Where a name can stand, as components that put `name` there. */
const positions: Readonly<Record<string, (name: string) => Uint8Array>> = {
  "core export of the world's function": (name) => echoComponent({ names: { coreHandle: name } }),
  "core export of realloc": (name) => echoComponent({ names: { coreRealloc: name } }),
  "core export of the memory": (name) => echoComponent({ names: { coreMemory: name } }),
  "core import module and instance argument": (name) => echoComponent({ names: { importModule: name } }),
  "core import field and inline core export": (name) => echoComponent({ names: { importField: name } }),
  "component import": (name) => echoComponent({ names: { importName: name } }),
  "function of an imported instance": (name) => echoComponent({ names: { importFunction: name } }),
  "component export": (name) => echoComponent({ names: { exportName: name } }),
  parameter: (name) => echoComponent({ names: { parameter: name } }),
  "record field": (name) => echoComponent({ before: [[section.type, vector([[0x72, ...vector([[...text(name), 0x79]])]])]] }),
  "variant case": (name) => echoComponent({ before: [[section.type, vector([[0x71, ...vector([[...text(name), 0, 0]])]])]] }),
  "enum case": (name) => echoComponent({ before: [[section.type, vector([[0x6d, ...vector([text(name)])]])]] }),
  flag: (name) => echoComponent({ before: [[section.type, vector([[0x6e, ...vector([text(name)])]])]] }),
  "type export of an instance type": (name) =>
    echoComponent({ before: [[section.type, vector([[0x42, ...vector([[4, ...externName(name), 3, 1]])]])]] }),
  "inline export": (name) => echoComponent({ after: [[section.instance, vector([[1, ...vector([[...externName(name), 1, 0]])]])]] }),
  "instance argument": (name) =>
    echoComponent({
      before: [[section.component, [...buildComponent([])]]],
      after: [[section.instance, vector([[0, 0, ...vector([[...text(name), 1, 0]])]])]],
    }),
  "alias of an instance's export": (name) => echoComponent({ after: [[section.alias, vector([[1, 0, 0, ...text(name)]])]] }),
  "core alias": (name) => echoComponent({ after: [[section.alias, vector([[0, 0, 1, 0, ...text(name)]])]] }),
  "import inside a nested component": (name) =>
    echoComponent({ before: [[section.component, [...buildComponent([[section.import, vector([[...externName(name), 3, 1]])]])]]] }),
  "core export inside a nested component": (name) =>
    echoComponent({
      before: [[section.component, [...buildComponent([[section.coreModule, [...echoModuleOf({ coreHandle: name })]]])]]],
    }),
};

function echoModuleOf(names: Partial<EchoNames>): Uint8Array {
  // The module as it stands inside the component.
  const whole = echoComponent({ names, withImport: false });
  const start = whole.indexOf(section.coreModule, 8);
  let [at, size, scale] = [start + 1, 0, 1];
  for (let byte = 0x80; byte >= 0x80; scale *= 128) {
    byte = whole[at++] ?? 0;
    size += (byte & 0x7f) * scale;
  }
  return whole.subarray(at, at + size);
}

describe("hostile names", () => {
  for (const [position, build] of Object.entries(positions)) {
    it(`are refused as ${position}`, () => {
      for (const [kind, hostile] of Object.entries(hostileTexts))
        expect([kind, ruleOf(build(hostile))]).toEqual([kind, expect.stringMatching(/^name\./)]);
    });
  }

  it("do not travel in the refusal", () => {
    for (const build of Object.values(positions)) {
      for (const hostile of Object.values(hostileTexts)) {
        try {
          walkComponent(build(hostile));
        } catch (error) {
          if (isAppError(error)) expect(String(error.params["detail"])).not.toContain("PWNED");
        }
      }
    }
  });

  it("__proto__ is refused as a core name", () => {
    for (const key of ["coreHandle", "coreRealloc", "importModule", "importField"] as const)
      expect(ruleOf(echoComponent({ names: { [key]: "__proto__" } }))).toBe("name.reserved");
  });

  it("words of JavaScript and the empty name are core names like others", () => {
    for (const word of ["then", "constructor", "toString", "hasOwnProperty", "valueOf", ""]) {
      expect(ruleOf(echoComponent({ names: { importModule: word, importField: word, coreHandle: word } }))).toBe("passed");
    }
  });

  it("exports that JavaScript gives a meaning are refused", () => {
    for (const word of ["then", "constructor", "to-string", "TO-STRING", "prototype", "default"])
      expect(ruleOf(echoComponent({ names: { exportName: word } }))).toBe("export.reserved");
  });

  it("imports that name another component are refused as such", () => {
    for (const name of [
      "unlocked-dep=<a:b/c>",
      "locked-dep=<a:b@1.0.0>",
      "url=<https://x>",
      "integrity=<sha256-x>",
      "unlocked-dep=<'),x('>",
    ])
      expect(ruleOf(echoComponent({ names: { importName: name } }))).toBe("name.dependency");
  });

  it("very long names are refused, core and component", () => {
    const long = "a".repeat(100_000);
    expect(ruleOf(echoComponent({ names: { coreHandle: long } }))).toBe("name.length");
    expect(ruleOf(echoComponent({ names: { exportName: long } }))).toBe("name.length");
  });
});

describe("honest names", () => {
  it("of real toolchains pass as core names", () => {
    const real = [
      ...[
        "cabi_realloc",
        "cabi_post_handle",
        "_initialize",
        "memory",
        "$root",
        "[export]$root",
        "[resource-drop]descriptor",
        "$imports",
        "0",
        "",
      ],
      ...["cm32p2|wasi:io/poll@0.2|[method]pollable.block", "wasi:cli/environment@0.2.12", "GOT.mem", "componentize_qjs_runtime.wasm"],
      ...[
        "__wasm_apply_data_relocs",
        "assembly/index/Foo#get:bar",
        "~lib/rt/itcms/__new",
        "_ZN4core3fmt9Formatter3padE",
        "althing:extension/kv@1.0.0#get",
      ],
      ...[
        "wit-component:adapter:wasi_snapshot_preview1",
        "$LT$impl$u20$core..fmt..Debug$GT$",
        "[async-lower]x",
        "libc++abi.so",
        "a".repeat(1024),
      ],
    ];
    for (const name of real) expect([name, isExpectedCoreName(name)]).toEqual([name, true]);
    for (const name of real) expect([name, ruleOf(echoComponent({ names: { coreHandle: name } }))]).toEqual([name, "passed"]);
  });

  it("of the component model pass", () => {
    for (const name of ["handle", "a-b-c", "HTTP-server", "a1-2b", "wasi:http/incoming-handler@0.2.0", "a:b/c", "a:b/c@1.0.0-rc.1+build.5"])
      expect([name, ruleOf(echoComponent({ names: { exportName: name } }))]).toEqual([name, "passed"]);
    for (const name of ["[method]request.send", "[static]fields.from-list", "[constructor]fields"])
      expect([name, ruleOf(echoComponent({ names: { importFunction: name } }))]).toEqual([name, "passed"]);
  });

  it("of wrong grammar are refused although harmless", () => {
    for (const name of ["", "-a", "a-", "a--b", "1a", "aB", "a_b", "a:b", "a:b/c@1", "[method]a", "[other]a.b", "a.b"])
      expect([name, ruleOf(echoComponent({ names: { exportName: name } }))]).toEqual([name, "name.component"]);
  });
});

describe("custom sections", () => {
  it("are not passed on, whatever they say", () => {
    const hostile = Object.values(hostileTexts).join("");
    const component = echoComponent({
      customs: [custom("name", [1, ...vector([text(hostile)])]), custom(hostile, text(hostile))],
      before: [[section.custom, [...text("component-name"), ...text(hostile)]]],
      after: [[section.custom, text(hostile)]],
    });
    const { bytes } = walkComponent(component);
    expect(Buffer.from(bytes).includes("PWNED")).toBe(false);
    expect(bytes.length).toBe(walkComponent(echoComponent()).bytes.length);
  });

  it("of a component without any leave its bytes as they are", () => {
    const component = echoComponent();
    expect(Buffer.compare(walkComponent(component).bytes, component)).toBe(0);
  });
});
