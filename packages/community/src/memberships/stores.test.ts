/** One walk through a community's life on each kind of store that a single node has: batches that one of them would not take are found here. */
import { describe, expect, it } from "vitest";
import { openMemoryStore, openSqliteStore, type Store } from "@althing/store";
import { tempDir } from "@althing/testkit";
import { join } from "node:path";
import { openCommunityWorld } from "../../test/community-world.ts";

const kinds: readonly (readonly [string, (folder: string) => Promise<Store>])[] = [
  ["memory", () => Promise.resolve(openMemoryStore())],
  ["sqlite", (folder) => openSqliteStore({ path: join(folder, "state.db"), migrations: [], fsync: "interval", clock: { now: () => 0 } })],
];

describe.each(kinds)("on %s", (_, open) => {
  it("a community is founded, joined in every way, governed, erased from and closed", async () => {
    await using dir = await tempDir();
    const store = await open(dir.path);
    const { plane, person, found, clock } = openCommunityWorld({ store });
    const [ada, ben, cleo, dan] = [person("ada"), person("ben"), person("cleo"), person("dan")];
    const community = await found();
    const questions = [{ id: "why", text: "Why?", required: false }];
    await plane.modules.change(ada, { community, module: "welcome", settings: { questions } });
    const { token } = await plane.invitations.invite(ada, { community, roles: ["moderator"], uses: 1, expiresInHours: 1 });
    await plane.invitations.joinByInvitation(ben, { token, answers: { why: "a" } });
    await plane.communities.change(ada, { community, registration: "open" });
    await plane.joining.join(cleo, { community, answers: { why: "b" } });
    await plane.communities.change(ada, { community, registration: "approval" });
    await plane.joining.join(dan, { community, answers: { why: "c" } });
    await plane.joining.approve(ben, { community, endpoint: dan.endpoint, roles: ["member"] });
    await plane.roles.create(ada, { community, role: "host", description: "", permissions: ["members.invite"] });
    await plane.communities.setRoles(ada, { community, endpoint: dan.endpoint, roles: ["host"] });
    // Again at the same moment: what is kept of the first time is replaced.
    await plane.communities.removeMember(cleo, { community, endpoint: cleo.endpoint });
    await plane.communities.change(ada, { community, registration: "open" });
    await plane.joining.join(cleo, { community, answers: { why: "d" } });
    await plane.erasure.erase(ben, { community, endpoint: ben.endpoint });
    expect((await plane.joining.requests(ada, { community, limit: 10 })).requests.map(({ handle }) => handle).toSorted()).toEqual([
      "cleo",
      "dan",
    ]);
    clock.ms += 31 * 24 * 60 * 60_000;
    await plane.agenda.tick();
    expect((await plane.joining.requests(ada, { community, limit: 10 })).requests).toEqual([]);
    expect(await plane.communities.get(ada, { community })).toMatchObject({ members: 3 });
    await plane.communities.delete(ada, { community });
    expect((await plane.communities.list(dan, { limit: 10 })).communities).toEqual([]);
    await store.close();
  });
});
