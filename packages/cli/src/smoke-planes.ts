/**
 * What `althing smoke` does in a community of its own: packages with their jobs and events, a vote, the public log.
 *
 * Invariant: key, community, install and data are gone at the end, whatever failed or was interrupted in between, and their absence is looked at.
 */
import type { PackagesClient } from "@althing/client";
import { AppError, hasCode } from "@althing/contract";
import { randomBytes } from "node:crypto";
import type { LeaveOut, RunStep } from "./commands/smoke.ts";
import type { Context } from "./context.ts";
import { openPackages } from "./ext/open-packages.ts";
import { viewError } from "./output.ts";
import { smokeCommunity } from "./smoke-community.ts";
import { makeSmokePackage, smokePackage, type SmokeBundle } from "./smoke-package.ts";

interface Made {
  readonly client: PackagesClient;
  readonly community: string;
  readonly publisherId: string;
}

/** With whatever a failed step left in it. @throws {check.failed} something is still there */
async function takeAway({ client, community, publisherId }: Made): Promise<void> {
  const params = { community };
  const isThere = (): Promise<boolean> =>
    client.call("communities.get", { params }).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, "community.not_found")) return false;
        throw error;
      },
    );
  const { anchors } = await client.call("trust.list");
  if (anchors.some(({ id }) => id === publisherId)) await client.call("trust.remove", { params: { id: publisherId } });
  if (await isThere()) {
    const { packages } = await client.call("packages.list", { params, query: {} });
    for (const { id } of packages) await client.call("packages.remove", { params: { community, install: id }, query: { data: "purge" } });
    await client.call("communities.delete", { params });
  }
  if (await isThere()) throw new AppError("check.failed", { detail: `the community ${community} is still there` });
  const left = await client.call("trust.list");
  if (left.anchors.some(({ id }) => id === publisherId)) throw new AppError("check.failed", { detail: `${publisherId} is still trusted` });
}

/** @throws what a step throws; then everything is taken away when the context ends */
export async function smokePlanes(context: Context, run: RunStep, leaveOut: LeaveOut): Promise<void> {
  const { newPublisherKey } = await import("@althing/extension/trust");
  const { privateKeyPem, publicKeyPem, publisherId } = newPublisherKey();
  const client = await openPackages(context);
  const community = `smoke-${randomBytes(5).toString("hex")}`;
  let bundle: SmokeBundle | undefined;
  await run("make and sign a package", async () => {
    bundle = await makeSmokePackage({ publisherId, publicKeyPem, signer: { privateKeyPem } });
    return `${bundle.bundle.length} bytes`;
  });
  if (bundle === undefined) return;
  let isGone = false;
  context.defer(async () => {
    if (isGone) return;
    await takeAway({ client, community, publisherId }).catch((error: unknown) =>
      context.output.warn(`the community ${community} could not be taken away: ${viewError(error).message}`),
    );
  });
  await run("trust a key, found a community", async () => {
    await client.call("trust.add", { body: { pem: publicKeyPem } });
    await client.call("communities.create", { body: { name: community } });
    return community;
  });
  const remove = await smokePackage(client, community, bundle, run, leaveOut);
  await smokeCommunity(client, community, run);
  await run("remove the package", remove);
  await run("leave nothing", async () => {
    await takeAway({ client, community, publisherId });
    isGone = true;
    return "the community is closed, the key trusted no more";
  });
}
