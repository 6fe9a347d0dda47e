/**
 * `althing check`: the operator's proof that messages get through, end to end, also while nodes come and go.
 *
 * Invariant: two sides with one identity but separate sessions and separate, forgetful states, so that everything received was decrypted from the
 * wire; a random room of its own, deleted at the end, after a failure and after Ctrl-C. Golden counts every message; loop shows life second by second.
 */
import type { Command } from "commander";
import { Option } from "commander";
import { addCommand } from "../command.ts";
import { duration, textOption, usageError, wholeNumber, type Context } from "../context.ts";
import type { CliHost } from "../host.ts";

const dayMs = 24 * 3_600_000;

export function addCheck(host: CliHost, program: Command): void {
  addCommand(host, program, {
    use: "check",
    summary: "prove end to end that messages get through; in a room of its own that it deletes",
    examples: [
      "althing check --as alice.id",
      "althing check --messages 10000 --persist --as alice.id",
      "althing check --mode loop --duration 5m --interval 500ms --persist --as alice.id",
    ],
    action: check,
  })
    .addOption(
      new Option("--mode <mode>", "golden: send N, decrypt N; loop: one message per interval")
        .choices(["golden", "loop"])
        .default("golden"),
    )
    .option("--messages <n>", "golden: how many", wholeNumber("--messages", 1, 1_000_000), 1_000)
    .option("--duration <time>", "loop: how long", duration("--duration", 100, dayMs), 30_000)
    .option("--interval <time>", "loop: time between messages", duration("--interval", 10, 3_600_000), 1_000)
    .option("--persist", "in a persisted room: every message is confirmed and kept until the end")
    .option("--subject <prefix>", "begin of the random room's name", "check");
}

async function check(context: Context): Promise<void> {
  const prefix = textOption(context.options, "subject") ?? "check";
  if (!/^[a-z0-9][a-z0-9._-]{0,40}$/.test(prefix)) throw usageError("--subject takes 1–41 of a–z 0–9 . _ -");
  const { openCheckRoom } = await import("../check-room.ts");
  const sides = await openCheckRoom(context, { prefix, persist: context.options["persist"] === true });
  if (context.options["mode"] === "loop") {
    const { runLoop } = await import("../check-loop.ts");
    await runLoop(context, sides, { durationMs: Number(context.options["duration"]), intervalMs: Number(context.options["interval"]) });
  } else {
    const { runGolden } = await import("../check-golden.ts");
    await runGolden(context, sides, Number(context.options["messages"]));
  }
}
