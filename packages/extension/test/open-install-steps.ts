/**
 * What tests of installs do over and over, on one package in one community.
 *
 * Invariant: steps go through the handlers as a request would; nothing here reads or writes a record.
 */
import { extensionIdSchema } from "@althing/contract";
import { makePackage, packageUpload, type MadePackage, type PackageToMake } from "./make-package.ts";
import { alice, communityA, type PackageWorld } from "./open-package-world.ts";

export const extension = extensionIdSchema.parse("org.example.greeter");
/** The package of all steps. */
export const ref = { community: communityA, install: extension };
export const kv = { name: "storage.kv" as const, reason: "keeps greetings" };
export const fetches = { name: "http.fetch" as const, reason: "asks the weather" };
export const settings = {
  type: "object" as const,
  properties: {
    greeting: { type: "string" as const, default: "Hello", maxLength: 20 },
    limit: { type: "integer" as const, minimum: 1 },
    token: { type: "string" as const, secret: true },
  },
  required: ["limit"],
};
export const backends = [
  { state: "memory", objects: "memory" },
  { state: "sqlite", objects: "folder" },
] as const;

export const hexOf = ({ contentHash }: { readonly contentHash: string }) => contentHash.slice("sha256:".length);

type Change = Omit<Parameters<PackageWorld["installs"]["change"]>[1], "community" | "install">;

export function stepsOf(world: () => PackageWorld) {
  const upload = (made: MadePackage, community = communityA, ifMatch?: number) =>
    world().installs.upload(alice, { community }, packageUpload(made), ifMatch === undefined ? {} : { ifMatch });
  const change = (fields: Change, ifMatch?: number) =>
    world().installs.change(alice, { ...ref, ...fields }, ifMatch === undefined ? {} : { ifMatch });
  const consentAndStart = ({ contentHash }: { readonly contentHash: string }) => change({ consent: { contentHash }, active: true });
  return {
    upload,
    change,
    consentAndStart,
    get: () => world().installs.get(alice, ref),
    /** As the gateway asks. */
    async active() {
      const install = await world().installs.active(communityA, extension);
      if (install !== undefined) await world().installs.runnable(install);
      return install;
    },
    async running(fields: PackageToMake = {}): Promise<MadePackage> {
      const made = await makePackage(fields);
      await upload(made);
      await consentAndStart(made);
      return made;
    },
    /** All wait at the runner for each other, so that they decide at the same moment. */
    together<T>(count: number, start: () => Promise<T>[]): Promise<PromiseSettledResult<T>[]> {
      const all = Promise.withResolvers<void>();
      let waiting = 0;
      world().runner.hold = () => {
        waiting += 1;
        if (waiting === count) all.resolve();
        return all.promise;
      };
      return Promise.allSettled(start());
    },
  };
}
