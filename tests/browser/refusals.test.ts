/**
 * What a refusal tells in the shipped page: what was refused, the rule, what was seen, who can change it, what to do next in the places of this application, the code and
 * the request's id. The words come in a chunk of their own; a refusal is whole without them, too.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import { phone, startWebWorld, type WebWorld } from "./web-world.ts";

let world: WebWorld;

beforeAll(async () => {
  world = await startWebWorld();
}, 60_000);
afterAll(async () => world?.[Symbol.asyncDispose]());

const told = async (page: Page) => {
  const alert = page.getByRole("alert").first();
  await alert.getByText("What to do next").waitFor();
  return (await alert.innerText()).replaceAll(/\s+/g, " ");
};

/** Every answer to this address is this refusal, as a server would write it. */
async function refuseWith(
  page: Page,
  path: RegExp,
  problem: Readonly<Record<string, unknown>> & { readonly status: number },
): Promise<void> {
  await page.route(path, (route) =>
    route.fulfill({
      status: problem.status,
      contentType: "application/problem+json",
      body: JSON.stringify({
        type: "x",
        title: "x",
        detail: "x",
        fix: "x",
        retry: false,
        requestId: "0123456789abcdef",
        params: {},
        ...problem,
      }),
    }),
  );
}

test("what is not there is said with a way on that can be clicked, not typed, and with the id of the request", async () => {
  const { page, close } = await world.open(world.admin, "/c/no-such-place", phone);
  const text = await told(page);
  expect(text).toContain("There is no community no-such-place, or you are not in it.");
  expect(text).toMatch(/Look under Find a community/);
  expect(text).toMatch(/Who can change it An admin of the community/);
  expect(text).toMatch(/Code community\.not_found/);
  expect(text).toMatch(/Request \S{8,}/);
  expect(text).not.toMatch(/`|althing /);
  await expectAccessible(page);
  await close();
});

test("the rule, what was seen and who can change it are shown where the refusal carries them", async () => {
  await world.community("rules", world.admin);
  const { page, close } = await world.open(world.admin, "/");
  await refuseWith(page, /\/api\/communities\/rules$/, {
    status: 403,
    code: "policy.upload_forbidden",
    params: { who: "An admin of the instance", rule: "upload", observed: "false", key: "upload.files" },
  });
  await page.goto(`${world.instance.url}/c/rules`);
  const text = await told(page);
  expect(text).toMatch(/Rule upload/);
  expect(text).toMatch(/What was seen false/);
  expect(text).toMatch(/Setting upload\.files/);
  expect(text).toMatch(/Who can change it An admin of the instance/);
  expect(text).toContain("An admin of the instance can allow files to be uploaded");
  expect(text).toMatch(/Request 0123456789abcdef/);
  await close();
});

test("what only the operator can mend says so", async () => {
  await world.community("broken", world.admin);
  const { page, close } = await world.open(world.admin, "/");
  await refuseWith(page, /\/api\/communities\/broken$/, {
    status: 500,
    code: "system.internal",
    params: { requestId: "0123456789abcdef" },
  });
  await page.goto(`${world.instance.url}/c/broken`);
  expect(await told(page)).toMatch(/give the request’s id to whoever runs this instance.*Who can change it Whoever runs this instance/);
  await close();
});

test("where the words cannot be fetched, the refusal is shown all the same", async () => {
  const { page, close } = await world.open(world.admin, "/");
  await page.route(/\/assets\/advice-of-/, (route) => route.abort());
  await page.goto(`${world.instance.url}/c/no-such-place`);
  const text = await told(page);
  expect(text).toContain("There is no community no-such-place");
  expect(text).toContain("Check your connection, then try again.");
  await close();
});

test("the words are there before they are needed, so that a server that is gone is explained", async () => {
  const { page, close } = await world.open(world.admin, "/");
  const words = await page.waitForResponse(/\/assets\/advice-of-/, { timeout: 15_000 });
  expect(words.ok()).toBe(true);
  await page.waitForTimeout(100);
  await page.route(/\/api\//, (route) => route.abort());
  await page.locator('a[href="/communities/directory"]').first().click();
  expect(await told(page)).toMatch(/Check your connection and try again/);
  await close();
});
