/**
 * `althing up --demo`: an instance with a community that something happened in.
 *
 * Invariant: everything of it is in `<data>/demo` and in the instance; it is played once, and a later start shows it again. What fails is named, and the
 * instance runs on.
 */
import { hasCode, type Config } from "@althing/contract";
import { join } from "node:path";
import type { Context } from "../context.ts";
import { createPublisherKey, readPublisher } from "../ext/publisher-keys.ts";
import { viewError } from "../output.ts";
import { safeLine } from "../terminal-text.ts";
import { gatherPeople } from "./demo-people.ts";
import { fillDemoRegistry, serveDemoRegistry } from "./demo-registry.ts";
import { demoCommunity, isPlayed, playStory } from "./story.ts";

export interface Demo {
  /** The instance's settings with the exception that the demonstration's registry needs. */
  readonly config: Config;
  /** Plays the story on the instance that runs; never throws. @returns was every step as it should be? */
  play(url: string): Promise<boolean>;
}

export async function prepareDemo(context: Context, config: Config, data: string): Promise<Demo> {
  const folder = join(data, "demo");
  const packages = join(folder, "packages");
  const registry = await serveDemoRegistry(packages);
  context.defer(() => registry.close());
  const { output } = context;

  async function publisher() {
    const path = join(folder, "publisher.key");
    return readPublisher(context, path).catch((error: unknown) => {
      if (!hasCode(error, "cli.usage")) throw error;
      return createPublisherKey(path);
    });
  }

  return {
    config: { ...config, private_hosts: [...config.private_hosts, registry.privateHost] },
    async play(url) {
      try {
        const people = await gatherPeople(context, data, folder, url);
        if (await isPlayed(people)) output.prose(`\nthe community ${demoCommunity} is there from before`);
        else {
          output.prose("\na community in a minute:");
          const by = await publisher();
          await playStory({
            ...{ people, registry, publisher: by, now: () => context.host.now() },
            fillRegistry: () => fillDemoRegistry(context, packages, by),
            tell: (step, outcome) => output.prose(`  ${step}: ${safeLine(outcome)}`),
          });
        }
        output.prose(`\ngo on as one of its people: althing events tail --community ${demoCommunity} --as ${people.alice.file}`);
        return true;
      } catch (error) {
        output.warn(`the demonstration ended early: ${viewError(error).message}\n`);
        return false;
      }
    },
  };
}
