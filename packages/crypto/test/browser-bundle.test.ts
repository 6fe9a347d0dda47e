/**
 * The package as a browser gets it.
 */
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { build, type Rolldown } from "vite";
import * as node from "../src/index.ts";

async function bundle(): Promise<Rolldown.OutputChunk> {
  const entry = fileURLToPath(new URL("../src/index.ts", import.meta.url));
  const built = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      target: "es2024",
      lib: { entry, formats: ["es"] },
      rolldownOptions: { external: [], output: { codeSplitting: false } },
    },
  });
  const [result] = (Array.isArray(built) ? built : [built]) as Rolldown.RolldownOutput[];
  const chunk = result?.output.find((output): output is Rolldown.OutputChunk => output.type === "chunk" && output.isEntry);
  if (chunk === undefined) throw new Error("there is no bundle");
  return chunk;
}

describe("the browser's bundle", () => {
  let chunk: Rolldown.OutputChunk;
  beforeAll(async () => {
    chunk = await bundle();
  });

  it("imports nothing and has no Node code in it", () => {
    expect(chunk.imports).toEqual([]);
    expect(chunk.moduleIds.filter((id) => id.includes("primitives-"))).toEqual([expect.stringMatching(/primitives-web\.ts$/)]);
    expect(chunk.moduleIds.filter((id) => id.includes("node:") || id.includes("__vite-browser-external"))).toEqual([]);
  });

  it("runs, and signs what Node verifies", async () => {
    const url = `data:text/javascript;base64,${Buffer.from(chunk.code).toString("base64")}`;
    const browser = (await import(/* @vite-ignore */ url)) as typeof node;
    const identity = await browser.identityFromPhrase(browser.newRecoveryPhrase());
    const bytes = browser.utf8("from a page");
    expect(await node.verify("frame", identity.signPub, bytes, await identity.sign("frame", bytes))).toBe(true);
    expect(await node.verifyKeyCard(identity.signPub, identity.card)).toBe(true);
  });
});
