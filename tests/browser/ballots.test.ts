import { tally } from "@althing/tally";
import type { Proposal, TallyReport, VoteChoice, VotingMethod } from "@althing/contract";
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./accessible.ts";
import type { WatchedPage } from "./chromium.ts";
import { pressName } from "./keyboard-walk.ts";
import { fillByKeys, fillByTouch } from "./fill-ballots.ts";
import { cast, end, methodCases, proposalPath, stage } from "./proposal-scenes.ts";
import { phone, startWebWorld, type WebPerson, type WebWorld } from "./web-world.ts";

let world: WebWorld;
let [alice, bob, carol]: WebPerson[] = [];
const here = "garden";
/** Bob has a keyboard, Carol a phone. */
let keys: WatchedPage;
let touch: WatchedPage;
let secret: Proposal;
const who = (person: WebPerson | undefined): WebPerson => {
  if (person === undefined) throw new Error("the world has not begun");
  return person;
};
/** Refusals are in the console of Chromium too. */
const unexpected = ({ faults }: WatchedPage) => faults.filter((fault) => !/status of (?:403|404|409|412|422)/.test(fault));

beforeAll(async () => {
  world = await startWebWorld();
  alice = world.admin;
  [bob, carol] = [await world.person("bob"), await world.person("carol")];
  await world.community(here, alice, [{ who: bob }, { who: carol }]);
  const rule = { method: "approval", secret: true, trustee: carol.identity.endpoint } as const;
  secret = await stage(alice, here, { title: "Who keeps the keys", options: ["Bob", "Carol"], rule, until: "discussion" });
  [keys, touch] = await Promise.all([world.open(bob, `/c/${here}/proposals`), world.open(carol, proposalPath(here, secret), phone)]);
}, 120_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const go = (page: Page, one: Proposal) => page.goto(`${world.instance.url}${proposalPath(here, one)}`);
/** Without the marks that keep writing directions apart. */
const plain = (text: string | null): string => (text ?? "").replaceAll(/[\u2066-\u2069]/g, "");
const receiptOf = async (page: Page) => (await page.locator("[data-receipt]").textContent()) ?? "";
let receipt = "";
let receiptFile = "";

test("a secret vote begins: the trustee makes the key, a voter casts a sealed ballot with two clicks in one moment and gets one receipt", async () => {
  const { page } = touch;
  await page.getByText("You are the trustee.").waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Make the key" }).tap();
  await page.getByText("The key is made.").first().waitFor();
  await who(alice).client.call("proposals.open", {
    params: { community: here, proposal: secret.id },
    body: { closesAt: new Date(Date.now() + 62_000).toISOString() },
  });

  await go(keys.page, secret);
  await keys.page.getByText("Your ballot is sealed in this browser.").waitFor();
  await keys.page.getByLabel("Bob", { exact: true }).check();
  await keys.page.getByRole("button", { name: "Review your vote" }).click();
  await keys.page.getByText("It counts for you alone").waitFor();
  let casts = 0;
  keys.page.on("request", (request) => (casts += request.method() === "PUT" && request.url().endsWith("/sealed-ballot") ? 1 : 0));
  await keys.page.getByRole("button", { name: "Cast this vote" }).evaluate((button: HTMLElement) => {
    button.click();
    button.click();
  });
  await keys.page.getByText("Your vote is cast").waitFor();
  await expectAccessible(keys.page);
  receipt = await receiptOf(keys.page);
  expect(receipt).toMatch(/^[A-Za-z0-9_-]{43}$/);
  const [download] = await Promise.all([
    keys.page.waitForEvent("download"),
    keys.page.getByRole("button", { name: "Save as a file" }).click(),
  ]);
  receiptFile = await readFile(await download.path(), "utf8");
  expect(receiptFile).toContain(`Receipt: ${receipt}`);
  // A receipt is random: one in a hundred holds either by chance.
  expect(receiptFile.replaceAll(receipt, ""), "the file does not say what was voted").not.toMatch(/Bob|o1/);
  await keys.page.getByRole("button", { name: "I have kept it" }).click();
  await keys.page.getByText("You cast a secret ballot.").waitFor();
  expect(casts).toBe(1);
  await cast(who(alice), here, secret, { approvals: ["o2"] });
}, 60_000);

const third = {
  yes_no: { choice: "yes" },
  approval: { approvals: ["o1"] },
  score: { scores: { o1: 5 } },
  star: { scores: { o1: 5, o2: 1 } },
  irv: { ranking: [["o1"], ["o2"]] },
  schulze: { ranking: [["o1"], ["o2", "o3"]] },
  quadratic: { votes: { o1: 3 } },
  stv: { ranking: [["o1"], ["o4"]] },
} as const satisfies Record<VotingMethod, unknown>;

const shownNumber = (amount: number | string | undefined): string => {
  const [over = 0, under = 1] = String(amount ?? 0)
    .split("/")
    .map(Number);
  return new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 }).format(over / under);
};

/** What stands on the screen, against what the count says. */
async function expectResult(page: Page, { options }: Proposal, report: TallyReport): Promise<void> {
  const result = page.getByRole("region", { name: "Result" }).first();
  const name = (id: string) => options.find((option) => option.id === id)?.text ?? id;
  for (const winner of report.winners.filter((one) => one !== "yes"))
    expect(await result.locator("p").first().textContent()).toContain(name(winner));
  const answers: Record<string, string> = { yes: "Yes", no: "No", abstain: "Abstain", block: "Block" };
  for (const [id, amount] of Object.entries(report.totals ?? {})) {
    const row = result
      .getByRole("table", { name: "Totals" })
      .getByRole("row")
      .filter({ has: page.getByRole("rowheader", { name: answers[id] ?? name(id), exact: true }) });
    expect(await row.getByRole("cell").first().locator("span").last().textContent(), id).toBe(shownNumber(amount));
  }
  for (const [at, round] of (report.rounds ?? []).entries()) {
    for (const [id, amount] of Object.entries(round.totals)) {
      const row = result
        .getByRole("table", { name: "Round by round" })
        .getByRole("row")
        .filter({ has: page.getByRole("rowheader", { name: name(id), exact: true }) });
      expect(await row.getByRole("cell").nth(at).locator("span span").first().textContent(), `round ${at + 1}, ${id}`).toBe(
        shownNumber(amount),
      );
    }
  }
  for (const [row, columns] of Object.entries(report.pairwise ?? {})) {
    const line = result
      .getByRole("table", { name: "Compared in pairs" })
      .getByRole("row")
      .filter({ has: page.getByRole("rowheader", { name: name(row), exact: true }) });
    const shown = (await line.getByRole("cell").allTextContents()).map((text) => text.replace("wins", "")).toSorted();
    expect(shown, row).toEqual(["–", ...Object.values(columns).map(shownNumber)].toSorted());
  }
}

test.each(methodCases)(
  "$method: filled in by keyboard alone and by touch on a phone, reviewed, cast, counted; screen, count and recount agree",
  async ({ method, options, rule }) => {
    const one = await stage(who(alice), here, { title: `Planting by ${method}`, options, rule });

    const { page } = keys;
    await go(page, one);
    await page.getByRole("button", { name: "Review your vote" }).waitFor();
    const typed = await fillByKeys(page, method);
    await pressName(page, /^Review your vote$/);
    await page.getByText("This is your vote").waitFor();
    await pressName(page, /^Cast this vote$/);
    await page.getByText("Your vote is cast").waitFor();
    expect((await who(bob).client.call("votes.paper", { params: { community: here, proposal: one.id } })).mine).toEqual({
      kind: "open",
      choice: typed,
    });

    await go(touch.page, one);
    await touch.page.getByRole("button", { name: "Review your vote" }).waitFor();
    const tapped = await fillByTouch(touch.page, method);
    if (method === "irv" || method === "quadratic" || method === "score") await expectAccessible(touch.page);
    await touch.page.getByRole("button", { name: "Review your vote" }).tap();
    await touch.page.getByRole("button", { name: "Cast this vote" }).tap();
    await touch.page.getByText("Your vote is cast").waitFor();
    expect((await who(carol).client.call("votes.paper", { params: { community: here, proposal: one.id } })).mine).toEqual({
      kind: "open",
      choice: tapped,
    });

    const own: VoteChoice = JSON.parse(JSON.stringify(third[method]));
    await cast(who(alice), here, one, own);
    const decided = await end(who(alice), here, one);
    const report = tally({
      rule: decided.rule,
      options: decided.options,
      ballots: [typed, tapped, own].map((choice) => ({ choice })),
      eligible: 3,
      seed: one.id,
    });
    expect(decided.report).toEqual(report);

    await page.getByRole("heading", { name: "Result", exact: true }).waitFor();
    await expectResult(page, decided, report);
    await page.getByRole("button", { name: "Count again in this browser" }).click();
    await page.getByText("It agrees: 3 ballots counted again, the same result.").waitFor();
    await page.getByRole("button", { name: "Use my id" }).click();
    await page.getByRole("button", { name: "Look for it" }).click();
    await page.getByText("It is in the count. It says:").waitFor();
    await page.getByRole("button", { name: "Show all ballots" }).click();
    const voters = page.getByRole("table", { name: "All ballots" }).getByRole("rowheader");
    await expect
      .poll(async () => (await voters.allTextContents()).map((text) => /alice|bob|carol/.exec(text)?.[0] ?? "").toSorted())
      .toEqual(["alice", "bob", "carol"]);
    if (method === "stv" || method === "schulze" || method === "yes_no") {
      if (method !== "schulze") await page.locator("svg.recharts-surface").first().waitFor();
      await expectAccessible(page);
      await touch.page.getByRole("heading", { name: "Result", exact: true }).waitFor();
      await expectAccessible(touch.page);
    }
  },
  60_000,
);

test("a ranking can be dragged into order with a mouse", async () => {
  const one = await stage(who(alice), here, { title: "Dragged", options: ["Roses", "Beans", "Kale"], rule: { method: "irv" } });
  const { page } = keys;
  await go(page, one);
  for (const name of ["Roses", "Beans", "Kale"]) await page.getByRole("button", { name: new RegExp(`Rank .*${name}`) }).click();
  const lines = page.getByRole("list", { name: "Your ranking" }).getByRole("listitem");
  const handleOf = async (at: number) => {
    const box = await lines.nth(at).locator("span").first().boundingBox();
    return { x: (box?.x ?? 0) + (box?.width ?? 0) / 2, y: (box?.y ?? 0) + (box?.height ?? 0) / 2 };
  };
  const [from, to] = [await handleOf(2), await handleOf(0)];
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 8 });
  await page.mouse.up();
  await expect.poll(() => lines.locator("bdi").allTextContents()).toEqual(["Kale", "Roses", "Beans"]);
});

test("delegated: who is carried is named; whoever votes themselves takes their vote back for this time", async () => {
  await who(carol).client.call("delegations.give", { params: { community: here }, body: { to: "bob" } });
  const one = await stage(who(alice), here, { title: "Carried" });
  await go(keys.page, one);
  // Names come once it is sure that they are all.
  await expect
    .poll(async () => plain(await keys.page.getByText("You vote with 2:").textContent()))
    .toBe("You vote with 2: yourself and carol.");
  await go(touch.page, one);
  const own = touch.page.getByText("You gave your vote to");
  await own.waitFor();
  expect(plain(await own.textContent())).toContain("bob does not carry it");
  await who(carol).client.call("delegations.revoke", { params: { community: here }, query: {} });
}, 30_000);

test("a ballot can be changed and taken back while the vote is open; the last one counts", async () => {
  const one = await stage(who(alice), here, { title: "Changed" });
  const { page } = keys;
  await go(page, one);
  await page.getByLabel("Yes", { exact: true }).check();
  await page.getByRole("button", { name: "Review your vote" }).click();
  await page.getByRole("button", { name: "Cast this vote" }).click();
  await page.getByRole("button", { name: "All right" }).click();
  await page.getByRole("button", { name: "Change my vote" }).click();
  await page.getByLabel("No", { exact: true }).check();
  await page.getByRole("button", { name: "Review your vote" }).click();
  await page.getByRole("button", { name: "Cast this in place of the earlier one" }).click();
  await page.getByText("You say: No.").waitFor();
  await page.getByRole("button", { name: "Take my vote back" }).click();
  await expectAccessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Take my vote back" }).click();
  await page.getByRole("button", { name: "Review your vote" }).waitFor();
  expect((await who(bob).client.call("votes.paper", { params: { community: here, proposal: one.id } })).mine.kind).toBe("none");
}, 30_000);

test("a vote that ends over a half-filled ballot says so, with what had been chosen", async () => {
  const one = await stage(who(alice), here, { title: "Ended" });
  const { page } = keys;
  await go(page, one);
  await page.getByLabel("Yes", { exact: true }).check();
  await end(who(alice), here, one);
  await page.getByText("The vote ended while you were filling in your ballot").waitFor();
  await page.getByText("You say: Yes.").waitFor();
  await page.getByText("It did not pass: nobody voted.").waitFor();
  await expectAccessible(page);
});

test("a ballot cast in the moment after the end is refused whole, beside the ballot", async () => {
  const one = await stage(who(alice), here, { title: "Too late" });
  const late = await world.open(bob, `/c/${here}/proposals`);
  // This page hears of nothing that happens.
  await late.page.route("**/events/**", (route) => route.abort());
  await late.page.route("**/events?*", (route) => route.abort());
  await late.page.route("**/events", (route) => route.abort());
  await go(late.page, one);
  await late.page.getByLabel("No", { exact: true }).check();
  await late.page.getByRole("button", { name: "Review your vote" }).click();
  await end(who(alice), here, one);
  await late.page.getByRole("button", { name: "Cast this vote" }).click();
  const refusal = late.page.getByRole("alert").filter({ hasText: "No ballots are taken: the proposal is decided." });
  await refusal.waitFor();
  expect(await refusal.textContent()).toContain("vote.not_open");
  await late.close();
}, 30_000);

test("HTML and writing from right to left in options stand there as text", async () => {
  const options = ["<img src=x onerror=alert(1)>", "שלום עולם", `${"Very".repeat(40)} long`];
  const one = await stage(who(alice), here, { title: "<b>שלום</b> & co", options, rule: { method: "schulze" } });
  await go(touch.page, one);
  for (const text of options) await touch.page.getByRole("button", { name: "Rank" }).filter({ hasText: text }).tap();
  await expectAccessible(touch.page);
  await touch.page.getByRole("button", { name: "Review your vote" }).tap();
  for (const text of options) await touch.page.getByRole("listitem").filter({ hasText: text }).first().waitFor();
  await expectAccessible(touch.page);
  expect(await touch.page.locator("img").count()).toBe(0);
}, 30_000);

test("a secret vote is over: the trustee opens it, the receipt from the file is found, a wrong one is not, the recount agrees", async () => {
  await go(touch.page, secret);
  await touch.page.getByRole("button", { name: "Open the ballots" }).waitFor({ timeout: 75_000 });
  await expectAccessible(touch.page);
  await touch.page.getByRole("button", { name: "Open the ballots" }).tap();
  await touch.page.getByRole("heading", { name: "Result", exact: true }).waitFor();
  const decided = await who(alice).client.call("proposals.get", { params: { community: here, proposal: secret.id } });
  const report = tally({
    rule: decided.rule,
    options: decided.options,
    ballots: [{ choice: { approvals: ["o1"] } }, { choice: { approvals: ["o2"] } }],
    eligible: 3,
    seed: secret.id,
  });
  expect(decided.report).toEqual(report);

  const { page } = keys;
  await go(page, secret);
  await expectResult(page, decided, report);
  await page.getByText("were equal").waitFor();
  await page.locator("input[type=file]").setInputFiles({ name: "receipt.txt", mimeType: "text/plain", buffer: Buffer.from(receiptFile) });
  const [requests, collect] = collectUrls(page);
  await page.getByRole("button", { name: "Look for it" }).click();
  await page.getByText("It is in the count. It says:").waitFor();
  collect();
  expect(
    requests.filter((url) => url.includes(receipt)),
    "no request tells whose ballot is looked for",
  ).toEqual([]);
  await page.getByLabel("Receipt").fill(`${receipt.slice(1)}A`);
  await page.getByRole("button", { name: "Look for it" }).click();
  await page.getByText("It is not in the count").waitFor();
  await page.getByRole("button", { name: "Count again in this browser" }).click();
  await page.getByText("It agrees: 2 ballots counted again").waitFor();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download everything that was counted" }).click(),
  ]);
  expect(JSON.parse(await readFile(await download.path(), "utf8"))).toMatchObject({ format: "althing/vote/v1", proposal: secret.id });
  await expectAccessible(page);
}, 120_000);

function collectUrls(page: Page): [urls: string[], stop: () => void] {
  const urls: string[] = [];
  const note = (request: { url(): string }) => void urls.push(request.url());
  page.on("request", note);
  return [urls, () => page.off("request", note)];
}

test("no page broke its policy or complained", () => {
  expect(unexpected(keys)).toEqual([]);
  expect(unexpected(touch)).toEqual([]);
});
