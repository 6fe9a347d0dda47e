/**
 * Takes pictures of every screen in its states, light and dark, wide and on a phone, for a person to look at:
 *
 *   node tests/browser/take-screenshots.ts FOLDER [AREA[:WORDS] …]
 *
 * A command and no test: what looks well is not decided by a program, and pictures that are compared byte for byte break with every font.
 * Each area has a file in `shots/` that says what is to be seen; with words, only the pictures that have them in their names are taken.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { StartInstanceOptions } from "@althing/testkit";
import type { Page } from "playwright-core";
import { openWatchedPage, type WatchedPage } from "./chromium.ts";
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
  /** The browser is as it was before: the same one is opened for the next picture of the same person. */
  readonly leavesNoTrace?: boolean;
}

/** Prepares the world of an area, and says what is to be seen in it. */
export type ShotsOf = (world: WebWorld) => Promise<readonly Shot[]>;

interface ShotsFile {
  readonly shotsOf: ShotsOf;
  /** How its instance is started, if not as any. */
  readonly worldOptions?: StartInstanceOptions;
}

const sizes = { wide: desktop, phone } as const;

/** Browsers that are open for further pictures, by person and size. */
type Profiles = Map<string, WatchedPage>;

async function openFor(world: WebWorld, profiles: Profiles, { who, leavesNoTrace }: Shot, size: keyof typeof sizes): Promise<WatchedPage> {
  const make = async () => {
    const made = await openWatchedPage(world.browser, sizes[size]);
    if (who !== undefined) await keepIdentity(made, world.instance.url, who.phrase);
    return made;
  };
  if (leavesNoTrace !== true) return make();
  const key = `${who?.handle ?? ""} ${size}`;
  const profile = profiles.get(key) ?? (await make());
  profiles.set(key, profile);
  return openWatchedPage(world.browser, {}, profile.context);
}

async function take(world: WebWorld, profiles: Profiles, area: string, folder: string, shot: Shot): Promise<void> {
  for (const size of ["wide", "phone"] as const) {
    const watched = await openFor(world, profiles, shot, size);
    await shot.before?.(watched.page);
    await watched.page.goto(`${world.instance.url}${shot.path}`);
    // A picture of what is there instead says more than none.
    await shot.ready(watched.page).catch((error: unknown) => console.log(`${area} ${shot.name} ${size} is not ready: ${String(error)}`));
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
    const here = wanted.find((one) => one === area || one.startsWith(`${area}:`));
    if (wanted.length > 0 && here === undefined) continue;
    const states = here?.split(":")[1];
    const { shotsOf, worldOptions }: ShotsFile = await import(join(shotsFolder, file));
    await using world = await startWebWorld(worldOptions);
    const profiles: Profiles = new Map();
    for (const shot of await shotsOf(world))
      if (states === undefined || shot.name.includes(states))
        await take(world, profiles, area, folder, shot).catch((error: unknown) => console.log(`${area} ${shot.name}: ${String(error)}`));
  }
  console.log(folder);
}
