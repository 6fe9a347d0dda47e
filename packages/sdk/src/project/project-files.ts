/**
 * The files that every new project has, whatever its template: settings of the type checker and of git.
 *
 * Invariant: code inside the component sees no browser and no Node types; pages see the browser's. Names of the SDK lead to `.althing/types`.
 */
import type { Template } from "./create-project.ts";

const strict = {
  target: "ES2024",
  module: "ESNext",
  moduleResolution: "Bundler",
  noEmit: true,
  strict: true,
  noUncheckedIndexedAccess: true,
  allowImportingTsExtensions: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  resolveJsonModule: true,
  skipLibCheck: true,
  types: [],
};

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const guestConfig = {
  compilerOptions: {
    ...strict,
    lib: ["ES2024"],
    paths: {
      "@althing/sdk/guest": ["./.althing/types/guest/index.d.ts"],
      "@althing/sdk/testing": ["./.althing/types/testing/index.d.ts"],
    },
  },
  include: ["src", "test", ".althing/types/globals.d.ts"],
};

const uiConfig = {
  compilerOptions: { ...strict, lib: ["ES2024", "DOM", "DOM.Iterable"], paths: { "@althing/sdk/ui": ["../.althing/types/ui/index.d.ts"] } },
  include: ["."],
};

const assemblyConfig = {
  compilerOptions: {
    target: "ES2024",
    module: "ESNext",
    moduleResolution: "Bundler",
    noEmit: true,
    noLib: true,
    allowJs: false,
    strict: true,
    experimentalDecorators: true,
    types: [],
    paths: { "@althing/sdk/assemblyscript": ["../.althing/types/assemblyscript/index.ts"] },
  },
  include: [".", "../.althing/types/assemblyscript/language.d.ts"],
};

/** By path in the project. */
export function configurationFiles(template: Template): Map<string, string> {
  const files = new Map([[".gitignore", ".althing/\ndist/\n*.althing\n"]]);
  if (template === "assemblyscript") return files.set("assembly/tsconfig.json", json(assemblyConfig));
  files.set("tsconfig.json", json(guestConfig));
  if (template === "ui") files.set("ui/tsconfig.json", json(uiConfig));
  return files;
}
