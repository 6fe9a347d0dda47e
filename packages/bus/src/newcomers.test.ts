/** Admin number 0 against the one interleaving that a lucky test never meets: another becomes it between deciding and writing. */
import { limits, type Handle } from "@althing/contract";
import { identityFromPhrase, newRecoveryPhrase } from "@althing/crypto";
import { openMemoryStore } from "@althing/store";
import { expect, it } from "vitest";
import { codeOf } from "../test/start-bus.ts";
import { openCollections, type Collections } from "./collections.ts";
import { createNewcomers } from "./newcomers.ts";

const newcomer = async (handle: string) => {
  const { signPub, card } = await identityFromPhrase(newRecoveryPhrase());
  return { signPub, handle: handle as Handle, keys: card };
};

it("makes one admin number 0 even when another is made between the look at the admins and the write", async () => {
  const clock = { now: () => Date.now() };
  const store = openMemoryStore({ clock });
  const collections = openCollections(store);
  const other = createNewcomers({ store, collections, clock, limits });
  const [slow, fast] = await Promise.all([newcomer("slow"), newcomer("fast")]);
  let raced = false;
  const handles: Collections["handles"] = {
    ...collections.handles,
    // Read after the right was decided and before the admins are read for the write.
    async get(key) {
      if (!raced) {
        raced = true;
        await other.bootstrap(fast);
      }
      return collections.handles.get(key);
    },
  };
  const late = createNewcomers({ store, collections: { ...collections, handles }, clock, limits });
  expect(await codeOf(late.bootstrap(slow))).toBe("bootstrap.closed");
  expect((await collections.admins.get(["active"]))?.value.active.map(({ handle }) => handle)).toEqual(["fast"]);
  await store.close();
});
