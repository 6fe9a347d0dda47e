/**
 * The secrets that one invocation came to know, so that they can be kept out of what is written down.
 *
 * Invariant: a value goes into memory of this invocation only and is gone with it. Concealing is a second line of defence against a guest that
 * logs what it read by mistake; against one that wants to tell (it may encode) only the list of hosts helps.
 */
const shortestConcealed = 4;

export interface KnownSecrets {
  remember(name: string, value: string): void;
  /** The text with every known value replaced by its name. */
  conceal(text: string): string;
}

export function createKnownSecrets(): KnownSecrets {
  const names = new Map<string, string>();
  return {
    remember(name, value) {
      // Shorter values occur by chance: replacing them would garble the log and tell the value by where it is missing.
      if (value.length >= shortestConcealed) names.set(value, name);
    },
    conceal(text) {
      let concealed = text;
      for (const [value, name] of names) concealed = concealed.replaceAll(value, `[secret ${name}]`);
      return concealed;
    },
  };
}
