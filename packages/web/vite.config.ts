/**
 * Build of the web application the hub serves: hashed assets, one document, nothing inline.
 *
 * Invariant: the output runs under `default-src 'none'; script-src 'self'; style-src 'self'`: no inlined assets, no preload polyfill, which would be
 * an inline script. Each area of the application is a chunk of its own, loaded when it is first opened.
 */
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";
import { slimContract } from "./slim-contract.ts";

// What is built is what is shipped, whoever builds: a test run's own NODE_ENV would bring in the development builds of libraries, twice the size.
process.env["NODE_ENV"] = "production";

const config = defineConfig({
  base: "/",
  plugins: [tailwindcss(), slimContract()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2024",
    sourcemap: false,
    rolldownOptions: {
      // Of our own libraries only what the page asks about, each part where it is first needed. The contract's first module decides how all schemas are
      // made, and its index brings it in. Of all others each package itself says whether its modules do more than they export.
      treeshake: {
        moduleSideEffects: [
          { test: /\/packages\/(?:client|crypto|tally|contract(?!\/src\/(?:index|interpret-schemas)\.ts))\/src\//, sideEffects: false },
        ],
      },
      // React changes seldom and is cached apart. Without a group the bundler's own few lines end up in the largest chunk that is loaded late.
      output: { codeSplitting: { groups: [{ name: "react", test: /node_modules\/(?:react|react-dom|scheduler)\// }] } },
      // Directives for servers that render React; there is none here.
      onLog: (level, log, handle) => (log.code === "MODULE_LEVEL_DIRECTIVE" ? undefined : handle(level, log)),
    },
  },
});

export { config as default };
