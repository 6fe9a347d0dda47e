/**
 * Fills in the ballot of each method as people do: with keys alone, and with a finger on a phone.
 *
 * Invariant: answers what the ballot then should say, so that a test compares it with what the server has.
 */
import type { VoteChoice, VotingMethod } from "@althing/contract";
import type { Locator, Page } from "playwright-core";
import { pressName, tabToName } from "./keyboard-walk.ts";

/** By keys alone. @returns what should be on the ballot */
export async function fillByKeys(page: Page, method: VotingMethod): Promise<VoteChoice> {
  const score = async (option: string, value: number) => {
    await tabToName(page, new RegExp(`${option}: 0$`));
    for (let presses = 0; presses < value; presses += 1) await page.keyboard.press("ArrowRight");
  };
  switch (method) {
    case "yes_no":
      await tabToName(page, /: Yes$/);
      await page.keyboard.press("Space");
      return { choice: "yes" };
    case "approval":
      for (const name of [/: Beans$/, /: Kale$/]) {
        await tabToName(page, name);
        await page.keyboard.press("Space");
      }
      return { approvals: ["o2", "o3"] };
    case "score":
    case "star":
      await score("Beans", 4);
      await score("Leek", 2);
      return { scores: { o2: 4, o4: 2 } };
    case "irv":
    case "stv":
    case "schulze":
      for (const name of ["Kale", "Leek", "Beans"]) await pressName(page, new RegExp(`^Rank ${name}$`));
      await page.keyboard.press("Shift+Tab");
      for (let back = 0; back < 12; back += 1) await page.keyboard.press("Shift+Tab");
      await pressName(page, /^Move Leek up$/);
      if (method !== "schulze") return { ranking: [["o4"], ["o3"], ["o2"]] };
      await pressName(page, /^Make Beans equal/);
      return { ranking: [["o4"], ["o3", "o2"]] };
    case "quadratic":
      await tabToName(page, /^One vote more for Kale$/);
      for (let presses = 0; presses < 5; presses += 1) await page.keyboard.press("Enter");
      await pressName(page, /^One vote more for Leek$/);
      return { votes: { o3: 3, o4: 1 } };
  }
}

/** By taps on a phone. */
export async function fillByTouch(page: Page, method: VotingMethod): Promise<VoteChoice> {
  const tap = (found: Locator) => found.tap();
  const score = (option: string, value: number) => tap(page.getByRole("group", { name: option }).getByText(String(value), { exact: true }));
  switch (method) {
    case "yes_no":
      await tap(page.getByText("No", { exact: true }));
      return { choice: "no" };
    case "approval":
      await tap(page.locator("label").getByText("Kale"));
      return { approvals: ["o3"] };
    case "score":
    case "star":
      await score("Kale", 5);
      await score("Roses", 3);
      return { scores: { o1: 3, o3: 5 } };
    case "irv":
    case "stv":
    case "schulze":
      for (const name of [/Rank .*Beans/, /Rank .*Kale/, /Move .*Beans.* down/]) await tap(page.getByRole("button", { name }));
      return { ranking: [["o3"], ["o2"]] };
    case "quadratic":
      for (const name of [/more for .*Beans/, /more for .*Beans/, /fewer for .*Beans/]) await tap(page.getByRole("button", { name }));
      return { votes: { o2: 1 } };
  }
}
