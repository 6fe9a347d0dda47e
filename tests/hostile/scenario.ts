/**
 * One lie and what the victim must make of it; told to the library in Node and to the same library in a real browser.
 */
import { expect } from "vitest";
import type { HostileWorld } from "./hostile-world.ts";
import type { Outcome, Victim } from "./victim.ts";

export interface Scenario {
  /** Says what must hold. */
  readonly name: string;
  readonly run: (world: HostileWorld, victim: Victim) => Promise<void>;
}

/** The value of something that must succeed. */
export function must(outcome: Outcome): unknown {
  if (!outcome.ok) throw new Error(`refused with ${outcome.code}: ${outcome.message}`);
  return outcome.value;
}

export function expectRefused(outcome: Outcome, code: string): void {
  expect(outcome).toMatchObject({ ok: false, code });
}

export async function expectWarned(victim: Victim, code: string): Promise<void> {
  const found = await victim.until({ warning: code });
  expect(found, `no ${code}, but ${JSON.stringify(await victim.warned())}`).toBe(true);
}

export async function expectHeard(victim: Victim, room: string, text: string): Promise<void> {
  const found = await victim.until({ room, text });
  expect(found, `no "${text}", but ${JSON.stringify([await victim.heard(), await victim.warned()])}`).toBe(true);
}

/** Messages in the order in which the application got them. */
export async function messagesHeard(victim: Victim, room: string): Promise<string[]> {
  return (await victim.heard()).flatMap((one) => (one.kind === "message" && one.room === room ? [one.text ?? ""] : []));
}
