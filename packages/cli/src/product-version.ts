/** The version of this program: the one of its package, so that there is one place to change. */
import manifest from "../package.json" with { type: "json" };

export const productVersion = manifest.version;
