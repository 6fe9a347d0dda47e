/**
 * A real instance with people in it, and a real browser in which each of them is at home.
 *
 * Invariant: everything comes about by the routes that people use: the admin by the one-time link, others by invitation; a browser keeps an identity as
 * restoring from the phrase leaves it there. What a page complains of is collected from its first moment.
 */
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import {
  claimInstance,
  createClient,
  identityFromPhrase,
  joinInstance,
  newRecoveryPhrase,
  openMemoryState,
  type AlthingClient,
  type Identity,
} from "@althing/client";
import { startInstance, type StartInstanceOptions, type TestInstance } from "@althing/testkit";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { openWatchedPage, startChromium, type WatchedPage } from "./chromium.ts";

export interface WebPerson {
  readonly handle: string;
  readonly phrase: string;
  readonly identity: Identity;
  /** Speaks for the person beside the browser. */
  readonly client: AlthingClient;
}

export interface WebWorld {
  readonly instance: TestInstance;
  readonly browser: Browser;
  /** Of the instance. */
  readonly admin: WebPerson;
  /** A further user, by invitation. */
  person(handle: string): Promise<WebPerson>;
  /** A community founded by `owner`, with members in it. @returns its name */
  community(
    name: string,
    owner: WebPerson,
    members?: readonly { readonly who: WebPerson; readonly roles?: readonly string[] }[],
  ): Promise<string>;
  /** A page of a browser in which `who` is at home (nobody: `undefined`), at a path of the application. */
  open(who: WebPerson | undefined, path: string, options?: BrowserContextOptions): Promise<WatchedPage>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const desktop: BrowserContextOptions = { viewport: { width: 1200, height: 850 } };
export const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

let keeper: Promise<string> | undefined;

async function keeperCode(): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL("keep-identity.ts", import.meta.url)),
    platform: "browser",
    logLevel: "silent",
  });
  try {
    const { output } = await bundle.generate({ format: "iife", codeSplitting: false });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}

/** Puts the identity of `phrase` into the browser that `watched` is a page of. */
export async function keepIdentity({ page }: WatchedPage, origin: string, phrase: string): Promise<void> {
  keeper ??= keeperCode();
  // A document of this origin that runs nothing of its own, and whose icon nobody has to look for.
  await page.route(`${origin}/favicon.ico`, (route) => route.fulfill({ status: 204 }));
  await page.goto(`${origin}/icon.svg`);
  await page.evaluate(await keeper);
  await page.evaluate((words) => {
    const keep: unknown = Reflect.get(globalThis, "keepIdentity");
    return typeof keep === "function" ? keep(words) : undefined;
  }, phrase);
}

export async function startWebWorld(options: StartInstanceOptions = {}): Promise<WebWorld> {
  const [instance, browser] = await Promise.all([startInstance(options), startChromium()]);
  const clients: AlthingClient[] = [];
  const personOf = async (handle: string, enter: (identity: Identity) => Promise<unknown>): Promise<WebPerson> => {
    const phrase = newRecoveryPhrase();
    const identity = await identityFromPhrase(phrase);
    await enter(identity);
    const client = createClient({ identity, urls: [instance.url], state: openMemoryState() });
    clients.push(client);
    await client.publishKeys();
    return { handle, phrase, identity, client };
  };
  const token = /=([\w-]{43})$/.exec(instance.adminLink ?? "")?.[1] ?? "";
  const admin = await personOf("alice", (identity) => claimInstance({ url: instance.url, token, handle: "alice", identity }));
  return {
    instance,
    browser,
    admin,
    person: async (handle) => {
      const invitation = await admin.client.call("invitations.create", { body: {} });
      return personOf(handle, (identity) => joinInstance({ url: instance.url, token: invitation.token, handle, identity }));
    },
    async community(name, owner, members = []) {
      await owner.client.call("communities.create", { body: { name } });
      for (const { who, roles } of members)
        await owner.client.call("communities.addMember", {
          params: { community: name },
          body: { identity: who.handle, ...(roles === undefined ? {} : { roles: [...roles] }) },
        });
      return name;
    },
    async open(who, path, pageOptions = desktop) {
      const watched = await openWatchedPage(browser, pageOptions);
      if (who !== undefined) await keepIdentity(watched, instance.url, who.phrase);
      await watched.page.goto(`${instance.url}${path}`);
      return watched;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await browser.close();
      await instance.stop();
    },
  };
}
