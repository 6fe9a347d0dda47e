/**
 * Refuses what has unwanted words or too many links, with a reason the author reads.
 *
 * Invariant: it looks at every text of the payload, wherever it stands, after folding case, width and accents, so that `ＦＲＥＥ` is `free`; it changes nothing.
 */
import { accept, defineExtension, refuse, settingsType, type FilterAnswer } from "@althing/sdk/guest";

interface Settings {
  readonly words: readonly string[];
  readonly maxLinks: number;
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) yield* textsIn(item);
}

const folded = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Is the word in the text, not as a part of a longer one? */
function hasWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const before = text.slice(0, at).at(-1) ?? " ";
    const after = text.slice(at + word.length, at + word.length + 2).at(0) ?? " ";
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return true;
  }
  return false;
}

function judge(payload: unknown, settings: Settings): FilterAnswer {
  const text = folded([...textsIn(payload)].join("\n"));
  const word = settings.words.find((unwanted) => hasWord(text, folded(unwanted)));
  if (word !== undefined) return refuse(`“${word}” is not welcome here.`);
  const links = text.match(/https?:\/\//g)?.length ?? 0;
  if (links > settings.maxLinks) return refuse(`${links} links are too many; ${settings.maxLinks} are allowed.`);
  return accept(payload);
}

export const extension = defineExtension({
  settings: settingsType<Settings>(),
  filters: {
    "proposal.before_create": (payload, { settings }) => judge(payload, settings),
    "comment.before_create": (payload, { settings }) => judge(payload, settings),
  },
});
