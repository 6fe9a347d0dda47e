/**
 * Opens the client library for a command: identity, addresses, state beside the identity, warnings to the terminal.
 *
 * Invariant: state lives in `<identity>.state/`, so that pins and epochs survive between commands; warnings (a changed pin, a forged epoch) are
 * shown even with --quiet, because they are the reason a person would stop.
 */
import { isAppError, type User } from "@althing/contract";
import { createClient, openFileState, openMemoryState, type AlthingClient, type ClientState } from "@althing/client";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { statePath, targetNats, targetUrls, textOption, usageError, type Context } from "./context.ts";
import { loadIdentity, type LoadedIdentity } from "./identity-files.ts";

export interface OpenedClient {
  readonly client: AlthingClient;
  readonly loaded: LoadedIdentity;
}

export async function authorityPem(context: Context): Promise<string | undefined> {
  const file = textOption(context.options, "ca") ?? context.host.env["ALTHING_CA"];
  if (file === undefined || file === "") return undefined;
  try {
    return await readFile(resolve(context.host.cwd, file), "utf8");
  } catch (error) {
    throw usageError(
      `the certificate file ${file} cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "?"})`,
    );
  }
}

export interface OpenClientOptions {
  /** In place of the folder beside the identity: nothing is remembered. */
  readonly forgetful?: boolean;
}

/** Closed by the context at the end. */
export async function openClient(context: Context, options: OpenClientOptions = {}): Promise<OpenedClient> {
  const loaded = await loadIdentity(context);
  const client = await clientFor(
    context,
    loaded,
    options.forgetful === true ? openMemoryState() : await openFileState(statePath(loaded.path)),
  );
  return { client, loaded };
}

export async function clientFor(context: Context, loaded: LoadedIdentity, state: ClientState): Promise<AlthingClient> {
  const [urls, ca] = await Promise.all([targetUrls(context), authorityPem(context)]);
  const nats = targetNats(context);
  const client = createClient({
    identity: loaded.identity,
    urls,
    state,
    ...(nats.length === 0 ? {} : { nats }),
    ...(ca === undefined ? {} : { ca }),
  });
  client.on("warning", (warning) => {
    if (isAppError(warning)) context.output.warn(`warning: ${warning.message} [${warning.code}]\n  ${warning.fix}`);
    else context.output.warn(`note: ${warning.message} [${warning.code}]`);
  });
  context.defer(() => client.close());
  return client;
}

/** Whoever was added by key alone has no key-agreement key on the server yet, and could not be invited anywhere. */
export async function publishKeysOnce(client: AlthingClient): Promise<User> {
  const me = await client.me();
  return me.keys?.kexPub === client.identity.kexPub ? me : client.publishKeys();
}
