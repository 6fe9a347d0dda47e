/**
 * Lets a project's tests import the SDK by its name, wherever the project lies: loaded with `node --import` before them.
 */
import { registerHooks } from "node:module";

const faces: Readonly<Record<string, string>> = {
  "@althing/sdk/guest": new URL("../guest/index.ts", import.meta.url).href,
  "@althing/sdk/testing": new URL("./index.ts", import.meta.url).href,
};

registerHooks({
  resolve: (specifier, context, next) => {
    const url = faces[specifier];
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
