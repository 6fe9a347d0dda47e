/**
 * Messages between the supervisor (`althing up`) and the hub it starts, over the child's IPC channel.
 *
 * Invariant: the hub prepares the data folder before nats-server is spawned, because a wrong key or a missing file must be found before the
 * server could start empty. The hub beats; silence closes the fence (docs/architecture/supervision.md).
 */
import { z } from "zod";

export const toHubSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), config: z.unknown(), natsVersion: z.string() }),
  z.object({ type: z.literal("nats-started"), pid: z.int() }),
  z.object({ type: z.literal("fenced") }),
  z.object({ type: z.literal("stop") }),
]);
export type ToHub = z.infer<typeof toHubSchema>;

export const fromHubSchema = z.discriminatedUnion("type", [
  /** The data folder is ready: nats-server may be started with this file; the fence file is what to install when the hub is silent. */
  z.object({ type: z.literal("prepared"), natsConfig: z.string(), aclFile: z.string(), fenceFile: z.string(), pidFile: z.string() }),
  z.object({ type: z.literal("beat"), fenced: z.boolean() }),
  z.object({ type: z.literal("ready"), url: z.string(), adminLink: z.string().optional() }),
  z.object({ type: z.literal("failed"), code: z.string(), message: z.string(), fix: z.string() }),
]);
export type FromHub = z.infer<typeof fromHubSchema>;

/** `<data>/run/up.json`: who runs this folder, for `stop`, `status` and clients on this machine. */
export const runFileSchema = z.object({
  pid: z.int(),
  startedAt: z.string(),
  url: z.string(),
  socket: z.string(),
  ports: z.object({ hub: z.int(), runner: z.int(), nats: z.int(), natsWs: z.int(), routes: z.int(), internal: z.int() }),
});
export type RunFile = z.infer<typeof runFileSchema>;
