/**
 * Commits changes of installs: the batch, the events that tell of it, and what hooks keep of it, in one.
 *
 * Invariant: all or nothing. The writes carry the revisions they were decided on, so they may be tried again when only the community's log moved; when they fail
 * all the same, whoever decided decides again.
 */
import type { EventLog, Hooks } from "@althing/community";
import { AppError } from "@althing/contract";
import type { CommitInstall, InstallTopic } from "@althing/extension";

const triesMax = 4;

const words: Readonly<Record<InstallTopic, string>> = {
  "package.installed": "was installed",
  "package.activated": "began to run",
  "package.deactivated": "was switched off",
  "package.consented": "was granted what it may do anew",
  "package.upgraded": "took the place of another version",
  "package.rolled_back": "came back in place of a newer version",
  "package.quarantined": "was taken out of service",
  "package.removed": "was removed",
};

class Overtaken extends Error {}

export function createInstallCommit(events: Pick<EventLog, "act" | "head">, hooks: Pick<Hooks, "toNote">): CommitInstall {
  return async (community, writes, told) => {
    const starting = [...new Set(told.filter(({ isStart }) => isStart).map(({ install }) => install))];
    let tries = 0;
    try {
      await events.act(community, async () => {
        tries += 1;
        if (tries > triesMax) throw new Overtaken();
        const { index } = await events.head(community);
        return {
          writes: [...writes, ...hooks.toNote(community, index + told.length, starting)],
          events: told.map(({ topic, install, extension, version, by }) => ({
            topic,
            actor: by === undefined ? { kind: "system" as const } : { kind: "member" as const, endpoint: by },
            ...{ subject: `package/${install}`, summary: `${extension} ${version} ${words[topic]}`, data: { install, extension, version } },
          })),
          result: undefined,
        };
      });
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      throw new AppError("store.conflict", { key: community, expected: "the record that was read", observed: "another" }, { cause: error });
    }
  };
}
