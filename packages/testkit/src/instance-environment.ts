/**
 * The environment that an instance under test starts with.
 *
 * Invariant: no setting of the machine reaches it. The limit of changes a person is lifted: one identity does in a second what a person does in a day,
 * and on a fast machine meets it. That limit has tests of its own.
 */
export function instanceEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ALTHING_") || name === "ALTHING_NATS_SERVER");
  return { ...Object.fromEntries(kept), ALTHING_CHANGES_PER_PERSON_PER_SECOND: "100000", ...extra };
}
