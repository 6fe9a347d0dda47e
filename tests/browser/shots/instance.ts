/** Pictures of the screens for whoever runs the instance. */
import { newPublisherKey } from "@althing/extension/trust";
import type { Page } from "playwright-core";
import type { ShotsOf } from "../take-screenshots.ts";

export const shotsOf: ShotsOf = async (world) => {
  const [bob, carol] = [await world.person("bob"), await world.person("carol")];
  await world.community("garden", world.admin, [{ who: bob }]);
  await world.admin.client.call("trust.add", { body: { pem: newPublisherKey().publicKeyPem } });
  await world.admin.client.call("users.revoke", { params: { signPub: carol.identity.signPub } });
  const ready = (text: string): { readonly ready: (page: Page) => Promise<unknown> } => ({
    ready: (page) => page.getByText(text).first().waitFor(),
  });
  const { admin } = world;
  return [
    { name: "posture", who: admin, path: "/instance", ...ready("This instance is ready") },
    { name: "users", who: admin, path: "/instance/users", ...ready("carol") },
    {
      name: "users-revoke",
      who: admin,
      path: "/instance/users",
      ready: async (page) => {
        await page.getByRole("button", { name: "Revoke bob" }).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    { name: "communities", who: admin, path: "/instance/communities", ...ready("garden") },
    { name: "trust", who: admin, path: "/instance/trust", ...ready("Added here") },
    { name: "policy", who: admin, path: "/instance/policy", ...ready("Who may come in") },
    { name: "registry-empty", who: admin, path: "/instance/registry", ...ready("Nothing is published yet") },
    { name: "usage-empty", who: admin, path: "/instance/usage", ...ready("No package was called") },
    {
      name: "usage-slow",
      who: admin,
      path: "/instance/usage",
      before: (page) => page.route("**/api/instance/usage*", () => undefined),
      ready: (page) => page.getByText("Loading…").first().waitFor(),
    },
    { name: "audit", who: admin, path: "/instance/audit", ...ready("The hashes of what is loaded fit together.") },
    { name: "audit-refused", who: bob, path: "/instance/audit", ...ready("auth.forbidden") },
    {
      name: "revoked",
      who: carol,
      path: "/instance/users",
      ready: (page) =>
        page
          .getByText(/revoked/i)
          .first()
          .waitFor(),
    },
  ];
};
