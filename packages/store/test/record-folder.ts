/**
 * Writes the recorded data of a schema version, which later versions must be able to read: `node packages/store/test/record-folder.ts DIR`.
 *
 * Run once per version, and the result is checked in; never run again for a version that was released.
 */
import { join } from "node:path";
import { z } from "zod";
import { openSqliteStore } from "../src/index.ts";

const [folder = "."] = process.argv.slice(2);
const path = join(folder, "state.db");
const store = await openSqliteStore({ path, migrations: [{ version: 1, describe: "first", run: async () => undefined }] });
const users = store.collection({ name: "users", schema: z.object({ handle: z.string() }) });
const name = (n: number) => `user-${String(n).padStart(2, "0")}`;
await store.batch(
  Array.from({ length: 50 }, (_, n) => users.toPut(["by-key", n === 49 ? "ключ 😀" : name(n)], { handle: name(n) })),
  "recorded",
);
await users.put(["gone"], { handle: "gone" });
await users.delete(["gone"]);
await store.close();
