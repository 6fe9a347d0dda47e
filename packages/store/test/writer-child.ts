/**
 * A process of its own that writes to a store: `increment <times>` under contention, or `pairs` until it is killed.
 *
 * Started with the address as JSON; `pairs` prints a number once its batch is acknowledged, so that whoever kills it knows what was promised.
 */
import { hasCode } from "@althing/contract";
import { z } from "zod";
import { openAddress, type StoreAddress } from "./store-place.ts";

const [address, mode, times] = process.argv.slice(2) as [string, string, string | undefined];
const { store, close } = await openAddress(JSON.parse(address) as StoreAddress);
const numbers = store.collection({ name: "numbers", schema: z.object({ n: z.number(), pad: z.string().optional() }) });

async function increment(): Promise<void> {
  for (;;) {
    const record = await numbers.get(["counter"]);
    try {
      await numbers.put(["counter"], { n: (record?.value.n ?? 0) + 1 }, record?.revision ?? 0);
      return;
    } catch (error) {
      if (!hasCode(error, "store.conflict")) throw error;
    }
  }
}

if (mode === "increment") {
  for (let done = 0; done < Number(times); done += 1) await increment();
  await close();
} else {
  const pad = "x".repeat(2_000);
  for (let n = 1; ; n += 1) {
    await store.batch([
      numbers.toPut(["left", String(n)], { n, pad }),
      numbers.toPut(["middle"], { n, pad }),
      numbers.toPut(["right", String(n)], { n, pad }),
    ]);
    process.stdout.write(`${n}\n`);
  }
}
