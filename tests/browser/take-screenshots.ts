/**
 * Takes pictures of every screen in its states, light and dark, wide and on a phone, for a person to look at:
 *
 *   node tests/browser/take-screenshots.ts FOLDER [AREA …]
 *
 * A command and no test: what looks well is not decided by a program, and pictures that are compared byte for byte break with every font.
 * Each area has a file in `shots/` that says what is to be seen.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { openWatchedPage } from "./chromium.ts";
import { desktop, keepIdentity, phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

export interface Shot {
  /** Of the file. */
  readonly name: string;
  /** Nobody: a browser without an identity. */
  readonly who: WebPerson | undefined;
  readonly path: string;
  /** Before the page is opened: routes that are slow or refuse. */
  readonly before?: (page: Page) => Promise<unknown>;
  /** Resolves when the state to be seen is there; walks to it, if need be. */
  readonly ready: (page: Page) => Promise<unknown>;
}

/** Prepares the world of an area, and says what is to be seen in it. */
export type ShotsOf = (world: WebWorld) => Promise<readonly Shot[]>;

const sizes = { wide: desktop, phone } as const;

async function take(world: WebWorld, area: string, folder: string, shot: Shot): Promise<void> {
  for (const [size, options] of Object.entries(sizes)) {
    const watched = await openWatchedPage(world.browser, options);
    if (shot.who !== undefined) await keepIdentity(watched, world.instance.url, shot.who.phrase);
    await shot.before?.(watched.page);
    await watched.page.goto(`${world.instance.url}${shot.path}`);
    await shot.ready(watched.page);
    for (const colorScheme of ["light", "dark"] as const) {
      await watched.page.emulateMedia({ colorScheme });
      await watched.page.waitForFunction((scheme) => document.documentElement.dataset["scheme"] === scheme, colorScheme);
      await watched.page.screenshot({ path: join(folder, `${area}-${shot.name}-${size}-${colorScheme}.png`), fullPage: true });
    }
    for (const fault of watched.faults) console.log(`${area} ${shot.name} ${size}: ${fault}`);
    await watched.close();
  }
}

if (import.meta.main) {
  const [target = "screenshots", ...wanted] = process.argv.slice(2);
  const folder = resolve(target);
  await mkdir(folder, { recursive: true });
  const shotsFolder = join(import.meta.dirname, "shots");
  for (const file of (await readdir(shotsFolder)).toSorted()) {
    const area = file.replace(/\.ts$/, "");
    if (wanted.length > 0 && !wanted.includes(area)) continue;
    const { shotsOf }: { shotsOf: ShotsOf } = await import(join(shotsFolder, file));
    await using world = await startWebWorld();
    for (const shot of await shotsOf(world)) await take(world, area, folder, shot);
  }
  console.log(folder);
}
