/**
 * A real Chromium for tests, and pages in it that are watched.
 *
 * Invariant: every page listens for violations of its content security policy and for errors from its first moment on, so that "none" means none;
 * the browser is Debian's own, downloads nothing, and is ended by whoever started it.
 */
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";

const executablePath = process.env["ALTHING_CHROMIUM"] ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Violations of the policy, uncaught errors, and what the page wrote to the console as error or warning. */
  readonly faults: readonly string[];
  close(): Promise<void>;
}

export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath, args });
}

/** A page in a profile of its own, or in one that is there. */
export async function openWatchedPage(
  browser: Browser,
  options: BrowserContextOptions = {},
  shared?: BrowserContext,
): Promise<WatchedPage> {
  const context = shared ?? (await browser.newContext({ reducedMotion: "reduce", ...options }));
  const page = await context.newPage();
  const faults: string[] = [];
  await page.exposeFunction("noteViolation", (text: string) => void faults.push(`policy: ${text}`));
  await page.addInitScript(() => {
    const note: unknown = Reflect.get(globalThis, "noteViolation");
    document.addEventListener("securitypolicyviolation", (event) => {
      if (typeof note === "function")
        note(`${event.violatedDirective} ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
    });
  });
  page.on("pageerror", (error) => void faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(`console: ${message.text()}`);
  });
  return { page, context, faults, close: () => (shared === undefined ? context.close() : page.close()) };
}
