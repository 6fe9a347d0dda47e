/** Starts writer-child.ts on the data of a place. */
import { spawn } from "node:child_process";
import type { StorePlace } from "./store-place.ts";

export function writerChild(place: StorePlace, ...args: string[]) {
  return spawn(process.execPath, [new URL("./writer-child.ts", import.meta.url).pathname, JSON.stringify(place.address), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}
export const ended = (process: ReturnType<typeof writerChild>) => new Promise<number | null>((resolve) => process.once("exit", resolve));
