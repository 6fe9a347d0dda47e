/**
 * The service's check of what a sandbox process sends: the process may have been taken over, so every frame is judged by itself.
 *
 * Strict objects: a field nobody expects is a fault of the process, and a fault ends it.
 */
import { z } from "zod";
import { decodePayload, FrameError } from "./frames.ts";
import type { SandboxMessage } from "./messages.ts";

const id = z.string().length(22);
/** Of a process that may lie, so it must at least fit on a line of a log. */
const detail = z
  .string()
  .max(300)
  .regex(/^[\x20-\x7e]*$/);
const usage = { fuel: z.int().min(0), peakMemoryBytes: z.int().min(0) };
/** What the sandbox itself may give as the reason of an end; the rest is the service's to say. */
const rule = z.enum(["fuel", "memory", "time", "host_calls", "lifted", "log", "result", "trap", "cancelled"]);

const sandboxMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("ready") }),
  z.strictObject({ type: z.literal("loaded") }),
  z.strictObject({ type: z.literal("refused"), detail }),
  z.strictObject({ type: z.literal("pong"), count: z.int() }),
  z.strictObject({
    type: z.literal("host"),
    id,
    call: z.int().min(0),
    op: z.string().max(200),
    args: z.array(z.unknown()).max(16),
  }),
  z.strictObject({ type: z.literal("ok"), id, value: z.unknown(), ...usage }),
  z.strictObject({ type: z.literal("error"), id, error: z.unknown(), ...usage }),
  z.strictObject({ type: z.literal("killed"), id, rule, detail, ...usage }),
]);

/** @throws {FrameError} when the bytes are no message of a sandbox */
export function readSandboxMessage(payload: Uint8Array): SandboxMessage {
  const parsed = sandboxMessage.safeParse(decodePayload(payload));
  if (!parsed.success) throw new FrameError(`no message: ${parsed.error.issues[0]?.message ?? "unreadable"}`);
  return parsed.data;
}
