/**
 * A small encoder of components for the tests: written from the binary format, apart from the reader it tests.
 * Every name can be replaced, in the places where an attacker would put one.
 */
import { body, buildModule, custom, i32, leb, text, vector } from "../module-builder.ts";

/** Names of the echo component and where they stand. */
export interface EchoNames {
  readonly coreHandle: string;
  readonly coreRealloc: string;
  readonly coreMemory: string;
  /** Core import of the host's function: module and field; both also name the instance that meets them. */
  readonly importModule: string;
  readonly importField: string;
  readonly importName: string;
  readonly importFunction: string;
  readonly exportName: string;
  readonly parameter: string;
}

export const honestNames: EchoNames = {
  coreHandle: "handle",
  coreRealloc: "cabi_realloc",
  coreMemory: "memory",
  importModule: "host",
  importField: "call",
  importName: "test:world/host@1.0.0",
  importFunction: "call",
  exportName: "handle",
  parameter: "payload",
};

export type ComponentSection = readonly [id: number, content: readonly number[]];

export const section = {
  custom: 0,
  coreModule: 1,
  coreInstance: 2,
  coreType: 3,
  component: 4,
  instance: 5,
  alias: 6,
  type: 7,
  canon: 8,
  start: 9,
  import: 10,
  export: 11,
  value: 12,
} as const;

export function buildComponent(sections: readonly ComponentSection[]): Uint8Array {
  const parts = sections.flatMap(([id, content]) => [Uint8Array.of(id, ...leb(content.length)), Uint8Array.from(content)]);
  return Buffer.concat([Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), ...parts]);
}

/** A name of the component model, in its import and export form. */
export const externName = (name: string): number[] => [0, ...text(name)];

/** The world of these components. */
export const echoWorld = {
  profile: "extension",
  interfaces: ["test:world/host"],
  asyncImports: ["test:world/host@1.0.0#call"],
  functions: ["test:world/host@1.0.0#call"],
  asyncExports: ["handle"],
} as const;

export interface CoreOptions {
  readonly names?: Partial<EchoNames>;
  /** Limits of its memory: flags, minimum, maximum. */
  readonly memory?: readonly number[];
  readonly table?: readonly number[];
  /** Custom sections of the module. */
  readonly customs?: readonly (readonly [number, readonly number[]])[];
  readonly withImport?: boolean;
  /** Types in front of the imported function's, whose parameter is the last of them. */
  readonly importTypes?: readonly (readonly number[])[];
  /** Code of `handle` in place of the echo. */
  readonly handle?: readonly number[];
}

/** `handle(ptr, len)` answers `ok` with the same bytes; `realloc` gives address 1024 always. */
export function echoModule({ names = {}, memory = [0, 1], table, customs = [], withImport = true, handle }: CoreOptions = {}): Uint8Array {
  const { coreHandle, coreRealloc, coreMemory, importModule, importField } = { ...honestNames, ...names };
  const [I32, shift] = [0x7f, withImport ? 1 : 0];
  const store = (offset: number, value: readonly number[]): number[] => [...i32(16), ...value, 0x36, 2, offset];
  const echo = [...store(0, i32(0)), ...store(4, [0x20, 0]), ...store(8, [0x20, 1]), ...i32(16)];
  return buildModule([
    [
      1,
      vector([
        [0x60, ...vector([[I32], [I32], [I32], [I32]]), ...vector([[I32]])],
        [0x60, ...vector([[I32], [I32]]), ...vector([[I32]])],
        [0x60, ...vector([[I32], [I32], [I32]]), ...vector([])],
      ]),
    ],
    ...(withImport ? ([[2, vector([[...text(importModule), ...text(importField), 0, 2]])]] as const) : []),
    [3, vector([[0], [1]])],
    ...(table === undefined ? [] : ([[4, vector([[0x70, ...table]])]] as const)),
    [5, vector([memory])],
    [
      7,
      vector([
        [...text(coreRealloc), 0, shift],
        [...text(coreHandle), 0, shift + 1],
        [...text(coreMemory), 2, 0],
      ]),
    ],
    [10, vector([body([], i32(1024)), body([], handle ?? echo)])],
    ...customs,
  ]);
}

export interface EchoOptions extends CoreOptions {
  /** Sections put in front of everything. */
  readonly before?: readonly ComponentSection[];
  readonly after?: readonly ComponentSection[];
  /** Further core instances of the module, each with a memory of its own. */
  readonly moreInstances?: number;
}

/**
 * Without an import: one module. With one (the default): the host's function needs the guest's memory and the guest needs the function,
 * so the module takes a lowered function that returns nothing and is never called.
 */
export function echoComponent(options: EchoOptions = {}): Uint8Array {
  const names = { ...honestNames, ...options.names };
  const { before = [], after = [], moreInstances = 0, withImport = true } = options;
  const { importTypes = [] } = options;
  const parameter = importTypes.length === 0 ? [0x79] : leb(importTypes.length - 1);
  const importType = [
    0x42,
    ...vector([
      ...importTypes.map((type) => [1, ...type]),
      [1, 0x40, ...vector([[...text(names.parameter), ...parameter]]), 0, 0x79],
      [4, ...externName(names.importFunction), 1, ...leb(importTypes.length)],
    ]),
  ];
  const dummy = buildModule([
    [1, vector([[0x60, ...vector([[0x7f], [0x7f], [0x7f]]), 0]])],
    [3, vector([[0]])],
    [7, vector([[...text("f"), 0, 0]])],
    [10, vector([body([], [])])],
  ]);
  const first = withImport ? 2 : 0;
  const instances: number[][] = withImport
    ? [
        [0, 1, 0],
        [1, ...vector([[...text(names.importField), 0, 0]])],
        [0, 0, ...vector([[...text(names.importModule), 0x12, 1]])],
      ]
    : [[0, 0, 0]];
  const types = withImport ? 1 : 0;
  return buildComponent([
    ...before,
    ...(withImport
      ? ([
          [section.type, vector([importType])],
          [section.import, vector([[...externName(names.importName), 5, 0]])],
        ] as const)
      : []),
    [section.coreModule, [...echoModule({ ...options, names })]],
    ...(withImport
      ? ([
          [section.coreModule, [...dummy]],
          [section.coreInstance, vector(instances.slice(0, 1))],
          [section.alias, vector([[0, 0, 1, 0, ...text("f")]])],
          [section.coreInstance, vector(instances.slice(1))],
        ] as const)
      : ([[section.coreInstance, vector(instances)]] as const)),
    ...(moreInstances === 0 ? [] : ([[section.coreInstance, vector(Array.from({ length: moreInstances }, () => [0, 0, 0]))]] as const)),
    [
      section.alias,
      vector([
        [0, 2, 1, first, ...text(names.coreMemory)],
        [0, 0, 1, first, ...text(names.coreRealloc)],
        [0, 0, 1, first, ...text(names.coreHandle)],
      ]),
    ],
    [
      section.type,
      vector([
        [0x70, 0x7d],
        [0x6a, 1, ...leb(types), 1, 0x73],
        [0x40, ...vector([[...text(names.parameter), ...leb(types)]]), 0, ...leb(types + 1)],
      ]),
    ],
    [
      section.canon,
      vector([[0, 0, ...leb(withImport ? 2 : 1), ...vector([[0], [3, 0], [4, ...leb(withImport ? 1 : 0)]]), ...leb(types + 2)]]),
    ],
    [section.export, vector([[...externName(names.exportName), 1, 0, 0]])],
    ...after,
  ]);
}

/** Sections after an echo component with import: the imported function, lowered for a module that takes it as `(i32) -> i32`. */
export function lowerImport(): ComponentSection[] {
  const taker = buildModule([
    [1, vector([[0x60, ...vector([[0x7f]]), ...vector([[0x7f]])]])],
    [2, vector([[...text("host"), ...text("call"), 0, 0]])],
  ]);
  return [
    [section.alias, vector([[1, 0, 0, ...text("call")]])],
    [section.canon, vector([[1, 0, 2, ...vector([[3, 0]])]])],
    [section.coreModule, [...taker]],
    [
      section.coreInstance,
      vector([
        [1, ...vector([[...text("call"), 0, 3]])],
        [0, 2, ...vector([[...text("host"), 0x12, 3]])],
      ]),
    ],
  ];
}

export { custom, leb, text, vector };
