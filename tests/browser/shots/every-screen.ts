/**
 * Every address of the router in every state that any page may come into: full, empty, slow, refused, revoked in mid-session.
 *
 * The addresses are asked of the router itself, so a new page is in the pictures without a line here; what is particular to an area stands in its own file.
 */
import { AppError, toProblem } from "@althing/contract";
import type { Page } from "playwright-core";
import { refusals } from "../hostile-answers.ts";
import { addressesOf, fillHostileWorld, hostileInstance } from "../hostile-world.ts";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

/** Without these there is no page that could be in a state. */
const gate = /\/api\/(?:me|communities\/[^/]+)$/;
const isHeld = ({ pathname }: URL): boolean => pathname.startsWith("/api/") && !gate.test(pathname);

const refusal = new AppError("auth.forbidden", { permission: "what is asked for here", who: "An owner of the community" });
const forbidden = {
  status: 403,
  headers: { "content-type": "application/problem+json" },
  body: JSON.stringify(toProblem(refusal, "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C")),
};

const hang = (page: Page) => page.route(isHeld, () => undefined);
const refuse = (page: Page) => page.route(isHeld, (route) => route.fulfill(forbidden));
const revoke = (page: Page) =>
  page.route(
    ({ pathname }) => pathname.startsWith("/api/") && pathname !== "/api/me",
    (route) => route.fulfill(refusals.revoked()),
  );

/** Nothing is loading, and two looks in a row see the same. */
async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  await page.waitForFunction(
    () => {
      const seen = document.body.innerText;
      const isSame = Reflect.get(globalThis, "seenBefore") === seen && document.querySelector(".animate-pulse") === null;
      Reflect.set(globalThis, "seenBefore", seen);
      return isSame;
    },
    undefined,
    { polling: 250, timeout: 10_000 },
  );
}

/** What is shown while nothing comes. */
async function waiting(page: Page): Promise<void> {
  await page.locator("h1, .animate-pulse").first().waitFor();
  await page.waitForTimeout(400);
}

const nameOf = (pattern: string): string => pattern.replaceAll(/[^a-z]+/gi, "-").replaceAll(/^-|-$/g, "") || "home";

export const worldOptions = hostileInstance;

export const shotsOf: ShotsOf = async (web) => {
  const { people, ...world } = await fillHostileWorld(web);
  const { alice } = people;
  const nora = await web.person("nora");
  await web.community("meadow", alice);
  const first = await web.open(alice, "/");
  await first.page.locator("h1").first().waitFor();
  const addresses = await addressesOf(first.page, { people, ...world });
  await first.close();
  return [...addresses].flatMap(([pattern, [path = "/"]]): readonly Shot[] => {
    const page = nameOf(pattern);
    const shot = (state: string, more: Partial<Shot> = {}): Shot => ({
      name: `${page}-${state}`,
      who: alice,
      path,
      ready: settled,
      leavesNoTrace: true,
      ...more,
    });
    const inCommunity = pattern.startsWith("/c/$community");
    const hasEmpty = inCommunity ? !pattern.slice("/c/$community".length).includes("$") : !pattern.includes("$");
    return [
      shot("full"),
      ...(hasEmpty ? [shot("empty", inCommunity ? { path: path.replace("/garden", "/meadow") } : { who: nora })] : []),
      shot("slow", { before: hang, ready: waiting }),
      shot("refused", { before: refuse }),
      // A page that asks nothing learns of it at the next thing that is asked.
      shot("revoked", {
        before: revoke,
        ready: (one) => one.getByRole("heading", { name: /^You were revoked|^Your identity|^Posture|^An invitation/ }).waitFor(),
      }),
    ];
  });
};
