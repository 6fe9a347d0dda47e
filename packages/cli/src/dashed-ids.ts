/**
 * Lets tokens and ids begin with a dash on the command line.
 *
 * Invariant: one of 64 invitations and endpoint ids (base64url, 43 characters) begins with `-` and would be taken for a flag, so that
 * `join "$(althing invite)"` would fail now and then. No flag has this form; such words are marked before parsing and unmarked after.
 */

/** A private-use character: nobody types it, and no shell passes it by accident. */
const mark = "\ue000";
const dashedId = /^-[A-Za-z0-9_-]{42}$/;

export function maskDashedIds(argv: readonly string[]): string[] {
  return argv.map((word) => (dashedId.test(word) ? `${mark}${word}` : word));
}

export function unmaskDashedId(word: string): string {
  return word.startsWith(`${mark}-`) ? word.slice(mark.length) : word;
}
