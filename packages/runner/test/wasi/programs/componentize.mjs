/**
 * Makes a `wasi:http/proxy` component of a JavaScript file: bundles it with its libraries, then componentize-js. A child process of the tests:
 * the tool keeps what it preopened in a module of its own, and does not find its dependency from where it is installed.
 *
 * Arguments: source, WIT folder, result.
 */
import { writeFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { build } from "rolldown";

const shim = "@bytecodealliance/preview2-shim";
const owner = import.meta.resolve("@bytecodealliance/jco");
registerHooks({
  resolve: (specifier, context, next) => next(specifier, specifier.startsWith(`${shim}/`) ? { ...context, parentURL: owner } : context),
});

const [input = "", witPath = "", result = ""] = process.argv.slice(2);
const sourcePath = `${result}.js`;
await build({ input, logLevel: "silent", output: { format: "esm", file: sourcePath } });
const { _setPreopens } = await import(`${shim}/filesystem`);
_setPreopens({ "/": "/" });
const { componentize } = await import("@bytecodealliance/componentize-js");
const { component } = await componentize({ sourcePath, witPath, worldName: "proxy" });
await writeFile(result, component);
