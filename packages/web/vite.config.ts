/**
 * Build of the page the hub serves: hashed assets, one document, nothing inline.
 *
 * Invariant: the output runs under `default-src 'none'; script-src 'self'; style-src 'self'`: no inlined assets, no preload polyfill, which would be
 * an inline script.
 */
import { defineConfig } from "vite";

const config = defineConfig({
  base: "/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2024",
    sourcemap: false,
  },
});

export { config as default };
