/**
 * Where bundles are kept: a folder of this node, a bucket, or the messaging server's own storage; chosen by `bundle_store`.
 *
 * Invariant: one face and one contract suite (docs/architecture/store.md, "Objects"); a setting that the chosen place lacks is refused at the start and not
 * at the first upload. Moving from one place to another is an operator's act: nothing is looked for in two places.
 */
import type { BusConnection } from "@althing/bus";
import { AppError, streams, type Config } from "@althing/contract";
import { openFolderObjects, openJetStreamObjects, openS3Objects, type ObjectStore } from "@althing/store";
import type { DataFolder } from "./data-folder.ts";

function needed(config: Config, key: "s3_endpoint" | "s3_credentials"): string {
  const value = config[key];
  if (value === undefined)
    throw new AppError("config.invalid", { key, source: "the configuration", observed: "absent", detail: "bundle_store = s3 needs it" });
  return value;
}

/** @throws {config.invalid} {data.mode} {store.unavailable} {store.corrupt} */
export async function openBundleObjects(
  config: Config,
  folder: Pick<DataFolder, "paths" | "atRest">,
  connection: Pick<BusConnection, "account">,
): Promise<ObjectStore> {
  switch (config.bundle_store) {
    case "folder":
      return openFolderObjects({ path: folder.paths.bundles, ...folder.atRest.objects });
    case "s3":
      return openS3Objects({
        endpoint: needed(config, "s3_endpoint"),
        region: config.s3_region,
        credentialsFile: needed(config, "s3_credentials"),
        stagingPath: folder.paths.uploads,
      });
    case "jetstream":
      return openJetStreamObjects({ connection: connection.account, stream: streams.objects, replicas: config.replicas });
  }
}
