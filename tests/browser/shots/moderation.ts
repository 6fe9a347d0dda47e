/** The ledger and appeals: full, empty, slow, what concerns the reader, and who was removed. */
import type { Page } from "playwright-core";
import type { ShotsOf } from "../take-screenshots.ts";

export const shotsOf: ShotsOf = async (world) => {
  const { admin } = world;
  const [mo, mia, eve, kim] = await Promise.all([world.person("mo"), world.person("mia"), world.person("eve"), world.person("kim")]);
  await world.community("garden", admin, [
    { who: mo, roles: ["moderator", "member"] },
    { who: mia, roles: ["moderator", "member"] },
    { who: eve },
    { who: kim },
  ]);
  await world.community("empty", admin, [{ who: eve }]);
  const params = { community: "garden" };
  const act = mo.client;
  await act.call("moderation.act", {
    params,
    body: { kind: "warning", member: eve.identity.endpoint, reason: "Please stay polite. The third insult this week." },
  });
  const mute = await act.call("moderation.act", {
    params,
    body: { kind: "mute", member: eve.identity.endpoint, hours: 24, reason: "Again, after a warning:\n“nobody needs your tomatoes”" },
  });
  await eve.client.call("moderation.appeal", {
    params: { ...params, action: mute.id },
    body: { text: "That was a quotation from the minutes." },
  });
  const removal = await act.call("moderation.act", {
    params,
    body: { kind: "member_removal", member: kim.identity.endpoint, reason: "Threats in three rooms." },
  });
  await kim.client.call("moderation.appeal", { params: { ...params, action: removal.id }, body: { text: "It was a joke." } });
  await mia.client.call("moderation.decide", {
    params: { ...params, action: removal.id },
    body: { upheld: true, reason: "Nobody laughed. Three people were afraid." },
  });

  const ledger = "/c/garden/moderation";
  const full = (page: Page) => page.getByText("Threats in three rooms").waitFor();
  return [
    { name: "ledger", who: mia, path: ledger, ready: full },
    { name: "ledger-actor", who: mo, path: ledger, ready: full },
    { name: "about-me", who: eve, path: ledger, ready: (page) => page.getByText("You are muted").waitFor() },
    { name: "empty", who: admin, path: "/c/empty/moderation", ready: (page) => page.getByText("The ledger is empty").waitFor() },
    {
      name: "slow",
      who: eve,
      path: ledger,
      before: async (page) => void (await page.route("**/moderation?*", () => undefined)),
      ready: (page) => page.getByRole("heading", { level: 1 }).waitFor(),
    },
    { name: "removed", who: kim, path: ledger, ready: (page) => page.getByRole("link", { name: "Read why, and appeal" }).waitFor() },
    { name: "removed-about-me", who: kim, path: "/communities/appeals/garden", ready: full },
    {
      name: "decide",
      who: mia,
      path: ledger,
      ready: async (page) => {
        await page.getByRole("button", { name: "Decide the appeal" }).click();
        await page.getByText("Read both sides").waitFor();
      },
    },
    {
      name: "act",
      who: mia,
      path: ledger,
      ready: async (page) => {
        await page.getByRole("button", { name: "Warn, mute or remove somebody" }).click();
        await page.getByLabel("Whom it is about").fill("eve");
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("radio", { name: "Remove from the community" }).check();
        await page.getByLabel("Reason", { exact: true }).fill("Spam");
      },
    },
  ];
};
