/**
 * Opens what commands about communities and packages work with: signed requests, no rooms, no state on disk.
 *
 * Invariant: loaded only when such a command runs, so that help and room commands do not pay for it; the context closes it.
 */
import { createPackagesClient, type PackagesClient } from "@althing/client";
import { targetUrls, type Context } from "../context.ts";
import { loadIdentity } from "../identity-files.ts";
import { authorityPem } from "../open-client.ts";

export async function openPackages(context: Context): Promise<PackagesClient> {
  const { identity } = await loadIdentity(context);
  const [urls, ca] = await Promise.all([targetUrls(context), authorityPem(context)]);
  const client = createPackagesClient({ identity, urls, now: () => context.host.now(), ...(ca === undefined ? {} : { ca }) });
  context.defer(() => client.close());
  return client;
}

/** The person behind a handle; an endpoint id stays as it is. @throws {user.not_found} */
export async function endpointOf(client: PackagesClient, person: string): Promise<{ readonly endpoint: string; readonly handle: string }> {
  const { endpoint, handle } = await client.call("identities.get", { params: { identity: person } });
  return { endpoint, handle };
}
