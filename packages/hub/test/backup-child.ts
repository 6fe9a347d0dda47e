/**
 * A backup or a restore that stops for ever at a named step, to be killed there:
 * `node backup-child.ts backup|restore DATA FILE STEP`. Says `stopped` when it is there.
 */
import { writeSync } from "node:fs";
import { backUp, restore } from "./backup-tools.ts";

const [mode = "", data = "", file = "", step = ""] = process.argv.slice(2);
const progress = (text: string) => {
  if (!text.startsWith(step)) return;
  writeSync(1, "stopped\n");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
if (mode === "backup") await backUp(data, file, { progress });
else await restore(file, data, { progress });
