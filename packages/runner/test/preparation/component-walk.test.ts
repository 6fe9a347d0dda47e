/** The walk: what it counts, what it refuses by policy, and that no bytes make it do anything else. */
import { isAppError } from "@althing/contract";
import { describe, expect, it } from "vitest";
import { walkComponent } from "../../src/preparation/component-walk.ts";
import {
  buildComponent,
  type ComponentSection,
  echoComponent,
  echoModule,
  externName,
  leb,
  section,
  text,
  vector,
} from "./component-builder.ts";

function refusalOf(component: Uint8Array): string | undefined {
  try {
    walkComponent(component);
    return undefined;
  } catch (error) {
    if (isAppError(error) && error.code === "component.refused") return String(error.params["rule"]);
    throw error;
  }
}

const nested = (inner: Uint8Array): ComponentSection => [section.component, [...inner]];
const instances = (...indices: number[]): ComponentSection => [section.instance, vector(indices.map((index) => [0, ...leb(index), 0]))];

describe("what a component says of itself", () => {
  it("is read: imports with their functions, exports, instances", () => {
    const facts = walkComponent(echoComponent());
    expect(facts.imports).toEqual([{ name: "test:world/host@1.0.0", kind: "instance", functions: ["call"] }]);
    expect(facts.exports).toEqual(["handle"]);
    expect(facts.instances).toBe(3);
  });

  it("counts instances of nested components as often as they come to be", () => {
    const leaf = echoComponent({ withImport: false });
    const middle = buildComponent([nested(leaf), instances(0, 0, 0)]);
    expect(walkComponent(buildComponent([nested(middle), instances(0, 0)])).instances).toBe(2 * (1 + 3 * (1 + 1)));
  });
});

describe("bombs", () => {
  it("of 2^n instances are refused before anything is multiplied out", () => {
    let component = buildComponent([]);
    for (let level = 0; level < 8; level++)
      component = buildComponent([nested(component), instances(...Array.from({ length: 16 }, () => 0))]);
    expect(refusalOf(component)).toBe("limit.instances");
  });

  it("of 2^n instances through aliases of outer components are refused", () => {
    const levels: ComponentSection[] = [nested(buildComponent([]))];
    for (let level = 0; level < 30; level++) {
      const alias: ComponentSection = [section.alias, vector([[4, 2, 1, ...leb(level)]])];
      levels.push(nested(buildComponent([alias, instances(0, 0)])));
    }
    expect(refusalOf(buildComponent([...levels, instances(30)]))).toBe("limit.instances");
  });

  it("of nesting are refused, components and instance types", () => {
    let component = buildComponent([]);
    for (let level = 0; level < 60; level++) component = buildComponent([nested(component)]);
    expect(refusalOf(component)).toBe("limit.depth");
    let type = [0x42, 0];
    for (let level = 0; level < 200; level++) type = [0x42, ...vector([[1, ...type]])];
    expect(refusalOf(buildComponent([[section.type, vector([type])]]))).toBe("limit.depth");
  });

  it("of counts that the bytes cannot hold are refused at once", () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (const id of [section.coreInstance, section.instance, section.alias, section.type, section.canon, section.import, section.export])
      expect(refusalOf(buildComponent([[id, huge]]))).toBe("limit.items");
    expect(refusalOf(buildComponent([[section.type, [1, 0x72, ...huge]]]))).toBe("limit.items");
  });

  it("of many small modules are refused", () => {
    const module = [...echoModule({ withImport: false })];
    expect(refusalOf(buildComponent(Array.from({ length: 300 }, () => [section.coreModule, module] as const)))).toBe("limit.modules");
  });

  it("larger than the cap are refused unread", () => {
    expect(refusalOf(new Uint8Array(64 * 1024 * 1024 + 1))).toBe("limit.component-bytes");
  });
});

describe("policy", () => {
  const cases: Readonly<Record<string, readonly [ComponentSection, string]>> = {
    "a section of core types": [[section.coreType, [0]], "feature.core-types"],
    values: [[section.value, [0]], "feature.values"],
    "a start section": [[section.start, [0, 0, 0]], "feature.values"],
    "a type of components": [[section.type, vector([[0x41, 0]])], "feature.component-types"],
    "a stream": [[section.type, vector([[0x66, 0]])], "feature.async"],
    "a future": [[section.type, vector([[0x65, 0]])], "feature.async"],
    "an asynchronous function": [[section.type, vector([[0x43, 0, 1, 0]])], "feature.async"],
    "an asynchronous option": [[section.canon, vector([[1, 0, 0, ...vector([[6]])]])], "feature.async"],
    "an asynchronous built-in": [[section.canon, vector([[0x0d, 0]])], "feature.async"],
    "an imported component": [[section.import, vector([[...externName("a"), 4, 0]])], "feature.component-values"],
    "an imported core module": [[section.import, vector([[...externName("a"), 0, 0x11, 0]])], "feature.component-values"],
    "an exported component": [[section.export, vector([[...externName("a"), 4, 0, 0]])], "feature.component-values"],
    "an exported core module": [[section.export, vector([[...externName("a"), 0, 0x11, 0, 0]])], "feature.component-values"],
    "a component out of an instance": [[section.alias, vector([[4, 0, 0, ...text("a")]])], "feature.component-values"],
    "a core module out of an instance": [[section.alias, vector([[0, 0x11, 0, 0, ...text("a")]])], "feature.component-values"],
    "an instance of nothing": [[section.instance, vector([[0, 5, 0]])], "component.malformed"],
    "an unknown section": [[13, []], "component.malformed"],
    "a section that is not filled": [[section.type, [0, 0]], "component.malformed"],
    "a name of a newer form": [[section.import, vector([[2, ...text("a"), 0, 1, 0]])], "name.component"],
  };
  for (const [what, [content, rule]] of Object.entries(cases)) {
    it(`refuses ${what}`, () => {
      expect(refusalOf(echoComponent({ before: [content] }))).toBe(rule);
    });
  }

  it("refuses what is no component", () => {
    for (const bytes of [new Uint8Array(), echoModule(), Buffer.from("<!doctype html>"), buildComponent([]).subarray(0, 7)])
      expect(refusalOf(bytes)).toMatch(/malformed$/);
  });
});

describe("damaged bytes", () => {
  it("end in a refusal or a pass, never in another error, and always soon", () => {
    const honest = echoComponent({ before: [nested(buildComponent([nested(echoComponent())]))] });
    let state = 12_345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state % below;
    };
    const outcomes = new Set<string>();
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from(honest);
      for (let change = random(4); change >= 0; change--) bytes[random(bytes.length)] = random(256);
      outcomes.add(refusalOf(random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes) ?? "passed");
    }
    expect(outcomes.size).toBeGreaterThan(8);
  });
});
