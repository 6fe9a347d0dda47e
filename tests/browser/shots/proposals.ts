/** Pictures of proposals, ballots and results. */
import { AppError, toProblem, type VoteChoice } from "@althing/contract";
import type { Page } from "playwright-core";
import { cast, end, methodCases, proposalPath, stage } from "../proposal-scenes.ts";
import type { Shot, ShotsOf } from "../take-screenshots.ts";

const heading = (name: string) => (page: Page) => page.getByRole("heading", { name }).first().waitFor();
const problem = (error: AppError) => ({
  status: error.status,
  contentType: "application/problem+json",
  body: JSON.stringify(toProblem(error, "01J9ZQ4Y6T8V0W2X3Y4Z5A6B7C")),
});
/** Somebody else saved first. */
async function editStale(page: Page): Promise<void> {
  await page.getByLabel("Title").fill("Build a second shed, of wood");
  await page.route("**/api/communities/*/proposals/*", async (route) =>
    route.request().method() === "PUT"
      ? route.fulfill(problem(new AppError("request.precondition_failed", { expected: 1, observed: 2 })))
      : route.continue(),
  );
  await page.getByRole("button", { name: /^Save/ }).first().click();
  await page.getByRole("alert").first().waitFor();
}
const revoke = async (page: Page) =>
  void (await page.route("**/proposals/*", (route) => route.fulfill(problem(new AppError("auth.revoked")))));
const long =
  "We have four raised beds and two of them dry out every July.\n\nThe plan: water all four at dusk, by turns, from May to September. A list hangs in the shed. Who cannot come finds somebody to take their turn.\n\nIt costs 40 a year for the water.";

export const shotsOf: ShotsOf = async (world) => {
  const [bob, carol, dave] = [await world.person("bob"), await world.person("carol"), await world.person("dave")];
  const { admin } = world;
  const here = await world.community("garden", admin, [{ who: bob }, { who: carol }, { who: dave, roles: ["observer"] }]);
  const quiet = await world.community("quiet", admin, [{ who: dave, roles: ["observer"] }]);
  const draft = await stage(admin, here, { title: "Build a second shed", body: long, until: "draft" });
  const talked = await stage(bob, here, {
    title: "Let the school use a bed",
    body: long,
    options: ["All year", "In summer only", "Not at all"],
    rule: { method: "schulze" },
    until: "discussion",
  });
  const params = { community: here, proposal: talked.id };
  const said = await carol.client.call("proposals.comment", {
    params,
    body: { body: "Who would look after it in the holidays?\nLast year nobody did." },
  });
  await bob.client.call("proposals.comment", { params, body: { body: "The teachers have made a list.", parent: said.id } });
  const gone = await bob.client.call("proposals.comment", { params, body: { body: "Something rude." } });
  await admin.client.call("proposals.removeComment", {
    params: { ...params, comment: gone.id },
    body: { reason: "Not about the proposal, and unkind." },
  });
  await bob.client.call("proposals.edit", {
    params,
    body: {
      title: "Let the school use the south bed",
      body: `${long.replace("dusk", "dawn")}\n\nThe school asked for it.`,
      options: [...talked.options.slice(0, 2).map(({ id, text }) => ({ id, text })), { text: "Ask again next year" }],
    },
  });
  const now = await bob.client.call("proposals.get", { params });
  await carol.client.call("proposals.amend", {
    params,
    body: { title: now.title, body: now.body.replace("40 a year", "35 a year"), options: now.options, why: "The water became cheaper." },
  });
  const secret = await stage(admin, here, {
    title: "Who keeps the keys",
    options: ["Bob", "Carol"],
    rule: { method: "approval", secret: true, trustee: carol.identity.endpoint },
    until: "discussion",
  });
  const asked = await stage(admin, here, {
    title: "Water the beds every evening",
    body: long,
    topic: "water",
    rule: { method: "yes_no", threshold: { share: "2/3", of: "yes_and_no", reached: true }, quorum: "1/2" },
  });
  await carol.client.call("delegations.give", { params: { community: here }, body: { to: "bob" } });
  const running = await Promise.all(
    methodCases
      .slice(1)
      .map(({ options, rule, method }) => stage(admin, here, { title: `What to plant first (${method})`, options, rule })),
  );
  const [, , , irv, schulze, quadratic] = running;
  const decided = await decide();

  async function decide() {
    const ids = ["o1", "o2", "o3", "o4"] as const;
    const ballots: readonly VoteChoice[] = [
      { ranking: [["o1"], ["o2"]] },
      { ranking: [["o2"], ["o3"], ["o1"]] },
      { ranking: [["o3"], ["o1"]] },
    ];
    const made = [];
    for (const rule of [{ method: "irv" }, { method: "schulze" }, { method: "stv", seats: 2 }] as const) {
      const one = await stage(admin, here, {
        title: `Planted by ${rule.method}`,
        options: ["Roses of the old kind, with thorns", "Beans", "Kale", "Leek"],
        rule,
      });
      for (const [at, who] of [admin, bob, carol].entries()) await cast(who, here, one, ballots[at] ?? { ranking: [[ids[0]]] });
      made.push(await end(admin, here, one));
    }
    const plain = await stage(admin, here, { title: "Buy a longer hose", body: long });
    for (const [who, choice] of [
      [admin, "yes"],
      [bob, "yes"],
      [carol, "no"],
    ] as const)
      await cast(who, here, plain, { choice });
    made.push(await end(admin, here, plain));
    return made;
  }

  const shot = (name: string, path: string, ready: Shot["ready"], more: Partial<Shot> = {}): Shot => ({
    name,
    who: bob,
    path,
    ready,
    ...more,
  });
  const at = (one: { readonly id: string } | undefined, rest = "") => (one === undefined ? "" : proposalPath(here, one, rest));
  return [
    shot("list", `/c/${here}/proposals`, heading("Waiting for your vote")),
    shot("list-empty", `/c/${quiet}/proposals`, (page) => page.getByText("Nothing has been proposed yet").waitFor(), { who: admin }),
    shot("list-slow", `/c/${here}/proposals`, heading("Proposals"), {
      before: async (page) => void (await page.route("**/proposals?*", () => undefined)),
    }),
    shot("list-refused", `/c/${here}/proposals`, (page) => page.getByRole("alert").waitFor(), {
      before: async (page) => void (await page.route("**/proposals?*", (route) => route.fulfill({ status: 503, body: "" }))),
    }),
    shot("new", `/c/${here}/proposals/new`, heading("New proposal")),
    shot("new-refused", `/c/${quiet}/proposals/new`, (page) => page.getByText("You may not make proposals here").waitFor(), { who: dave }),
    shot("new-secret", `/c/${here}/proposals/new`, async (page) => {
      await page.getByLabel(/Ranked choice/).check();
      await page.getByLabel("Secret vote with a trustee").check();
      await page.getByText("What secret means here").waitFor();
    }),
    shot("draft", at(draft), heading("Build a second shed"), { who: admin }),
    shot("discussion", at(talked), (page) => page.getByText("The teachers have made a list.").waitFor()),
    shot("versions", at(talked, "/versions"), (page) => page.getByText("The school asked for it.").waitFor()),
    shot("amendments", at(talked, "/amendments"), (page) => page.getByText("35", { exact: false }).first().waitFor()),
    shot("trustee", at(secret), (page) => page.getByRole("button", { name: "Make the key" }).waitFor(), { who: carol }),
    shot("ballot-yes-no", at(asked), (page) => page.getByText(/You vote with 2/).waitFor()),
    shot("ballot-score", at(running[1]), (page) => page.getByRole("radio").first().waitFor({ state: "attached" })),
    shot("ballot-ranking", at(irv), async (page) => {
      for (const name of [/Rank .*Kale/, /Rank .*Roses/, /Rank .*Leek/]) await page.getByRole("button", { name }).click();
    }),
    shot("ballot-ties", at(schulze), async (page) => {
      for (const name of [/Rank .*Kale/, /Rank .*Roses/, /Rank .*Leek/, /Make .*Leek.* equal/])
        await page.getByRole("button", { name }).click();
    }),
    shot("ballot-quadratic", at(quadratic), async (page) => {
      for (const name of [/more for .*Kale/, /more for .*Kale/, /more for .*Roses/]) await page.getByRole("button", { name }).click();
    }),
    shot("review", at(running[0]), async (page) => {
      await page.getByLabel("Beans").check();
      await page.getByRole("button", { name: "Review your vote" }).click();
      await page.getByText("This is your vote").waitFor();
    }),
    ...decided.map((one) =>
      shot(`result-${one.rule.method}`, at(one), async (page) => {
        await heading("Check it yourself")(page);
        // Comparisons in pairs are a table and no plot.
        if (one.rule.method !== "schulze") await page.locator(".recharts-surface path").first().waitFor();
      }),
    ),
    shot("edit", at(draft, "/edit"), (page) => page.getByLabel("Title").waitFor(), { who: admin }),
    shot("edit-stale", at(draft, "/edit"), editStale, { who: admin }),
    shot("edit-refused", at(running[0], "/edit"), heading("Edit the proposal"), { who: admin }),
    shot("revoked", at(talked), (page) => page.getByRole("heading", { name: "You were revoked" }).waitFor(), { before: revoke }),
    shot("open-dialog", at(talked), async (page) => {
      await page.getByRole("button", { name: "Open the vote" }).click();
      await page.getByLabel("At another time").check();
    }),
    shot("not-found", `/c/${here}/proposals/01JA7Z3QK4W8N5V2X6Y9B0C1DE`, (page) => page.getByRole("alert").waitFor()),
  ];
};
