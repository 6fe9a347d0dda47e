/**
 * A process of its own that takes claims, many at once, until it is killed: `claims-child.ts <file> <prefix>`.
 *
 * A claim's key is printed once it is acknowledged, so that whoever kills it knows what was promised.
 */
import { writeSync } from "node:fs";
import { openSqliteClaims } from "../src/index.ts";

const [path, prefix] = process.argv.slice(2) as [string, string];
const claims = openSqliteClaims({ path });

async function take(worker: number): Promise<void> {
  for (let n = 1; ; n += 1) {
    const key = `${prefix}/${worker}/${n}`;
    if (!(await claims.claim(key, Date.now() + 60_000))) throw new Error(`${key} was taken`);
    writeSync(1, `${key}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, worker) => take(worker)));
