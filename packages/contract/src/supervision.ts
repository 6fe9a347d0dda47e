/**
 * Messages between the supervisor (`althing up`) and the hub it starts, over the child's IPC channel.
 *
 * Invariant: the hub prepares the data folder before nats-server is spawned, because a wrong key or a missing file must be found before the
 * server could start empty. The hub beats; silence closes the fence (docs/architecture/supervision.md).
 */
import { z } from "zod";

/** The variable of nats-server's environment that holds its at-rest key: in no file and in no argument. */
export const atRestKeyVariable = "ALTHING_AT_REST_KEY";

export const toHubSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), config: z.unknown(), natsVersion: z.string(), runnerToken: z.string().length(43) }),
  /** The node's runner: where its internal listener is and how it isolates; absent while it is down. */
  z.object({ type: z.literal("runner"), url: z.string().optional(), isolation: z.string().optional() }),
  z.object({ type: z.literal("nats-started"), pid: z.int() }),
  z.object({ type: z.literal("fenced") }),
  z.object({ type: z.literal("stop") }),
]);
export type ToHub = z.infer<typeof toHubSchema>;

export const fromHubSchema = z.discriminatedUnion("type", [
  /** The data folder is ready: nats-server may be started with this file; the fence file is what to install when the hub is silent. */
  z.object({
    type: z.literal("prepared"),
    natsConfig: z.string(),
    aclFile: z.string(),
    fenceFile: z.string(),
    pidFile: z.string(),
    /** With an at-rest key: what nats-server encrypts with. It goes into its environment and nowhere else. */
    natsKey: z.string().optional(),
    /** For the runner: its folder, the origins of this instance's pages, and where extension pages are. */
    runner: z.object({ data: z.string(), origins: z.array(z.string()), publicBase: z.string() }),
  }),
  /** An operator's own nats-server without our system account: it is to be told by signal to read the access list that was just written. */
  z.object({ type: z.literal("reload") }),
  z.object({ type: z.literal("beat"), fenced: z.boolean() }),
  z.object({ type: z.literal("ready"), url: z.string(), adminLink: z.string().optional() }),
  z.object({ type: z.literal("failed"), code: z.string(), message: z.string(), fix: z.string() }),
]);
export type FromHub = z.infer<typeof fromHubSchema>;

/** Answer of the hub's one-shot mode `nats-config`: what the operator's own nats-server is started with. */
export const externalNatsFilesSchema = z.object({
  /** The text of its configuration. */
  config: z.string(),
  aclFile: z.string(),
  fenceFile: z.string(),
  pidFile: z.string(),
});
export type ExternalNatsFiles = z.infer<typeof externalNatsFilesSchema>;

/** `<data>/run/up.json`: who runs this folder, for `stop`, `status` and clients on this machine. */
export const runFileSchema = z.object({
  pid: z.int(),
  startedAt: z.string(),
  url: z.string(),
  socket: z.string(),
  ports: z.object({ hub: z.int(), runner: z.int(), nats: z.int(), natsWs: z.int(), routes: z.int(), internal: z.int() }),
});
export type RunFile = z.infer<typeof runFileSchema>;
