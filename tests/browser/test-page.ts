/**
 * Test code in a real page: the document that the hub serves, with its script replaced by a bundle of test code.
 *
 * Invariant: document, origin and content security policy are the shipped ones and come over the network (a document made up by the debugger may not
 * open sockets to this machine); the bundle is what a browser would load: browser conditions, no Node, made in memory.
 */
import { rolldown } from "rolldown";
import type { Page } from "playwright-core";

export async function bundleForBrowser(entry: string): Promise<string> {
  const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "warn" });
  try {
    const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}

/** Opens the hub's document under `origin` with `code` as its script. */
export async function openTestPage(page: Page, origin: string, code: string): Promise<void> {
  await page.route(`${origin}/assets/*.js`, (route) => route.fulfill({ contentType: "text/javascript; charset=utf-8", body: code }));
  await page.goto(`${origin}/`, { waitUntil: "load" });
}
