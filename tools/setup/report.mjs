/** What the set-up says: one line a step on stderr, because stdout belongs to the command that needed the set-up. */

/** A failure whose text says what to do; it is shown without a stack. */
export class SetupError extends Error {}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}
