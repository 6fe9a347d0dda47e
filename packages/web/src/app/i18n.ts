/**
 * All text of the application goes through here: each area defines its own texts beside its screens, typed by their keys.
 *
 * Invariant: a text is looked up by a key that exists (the type says so) and is never built from pieces; values are put in by React, which escapes.
 * Two pseudo languages, set with `?lang=`, stretch every text and mirror the page: what is hard-coded, too narrow or tied to the left shows at once.
 */
import i18next, { type TOptions } from "i18next";

/** Keys lead to texts, one level deep below an optional group; `_one` and `_other` are plural forms of one key. */
export interface Texts {
  readonly [key: string]: string | Texts;
}

type Joined<P extends string, K extends string> = P extends "" ? K : `${P}.${K}`;
type Singular<K extends string> = K extends `${infer Base}_${"zero" | "one" | "other"}` ? Base : K;
/** Every key of the texts, joined by dots. */
export type TextKey<T extends Texts, P extends string = ""> = {
  [K in keyof T & string]: T[K] extends Texts ? TextKey<T[K], Joined<P, K>> : Joined<P, Singular<K>>;
}[keyof T & string];
export type Translate<K extends string> = (key: K, values?: Readonly<Record<string, string | number>>) => string;

export interface UseTexts<K extends string> {
  /** The same function at every drawing: a page keeps its language until it is loaded again, so nothing has to be listened to. */
  (): Translate<K>;
  /** The same outside of components. */
  readonly now: Translate<K>;
}

export const languages = {
  en: { name: "English", dir: "ltr" },
  "en-XA": { name: "Pseudo, stretched", dir: "ltr" },
  "ar-XB": { name: "Pseudo, right to left", dir: "rtl" },
} as const;
export type Language = keyof typeof languages;

function isLanguage(value: string | null): value is Language {
  return value !== null && Object.hasOwn(languages, value);
}

const storageKey = "althing-language";
const accents: Readonly<Record<string, string>> = {
  a: "á",
  e: "é",
  i: "í",
  o: "ó",
  u: "ú",
  A: "Á",
  E: "É",
  I: "Í",
  O: "Ó",
  U: "Ú",
  n: "ñ",
  c: "ç",
};
const rightToLeftMarks = ["\u202e", "\u202c"] as const;

function pseudo(text: string, language: string): string {
  if (language === "en-XA") return `⟦${text.replaceAll(/[aeiouAEIOUnc]/g, (char) => accents[char] ?? char)} ·····⟧`;
  return language === "ar-XB" ? `${rightToLeftMarks[0]}${text}${rightToLeftMarks[1]}` : text;
}

/** The language of this page: from the address, else as chosen before, else English. */
function chosenLanguage(): Language {
  const asked = new URLSearchParams(location.search).get("lang");
  if (isLanguage(asked)) {
    localStorage.setItem(storageKey, asked);
    return asked;
  }
  const kept = localStorage.getItem(storageKey);
  return isLanguage(kept) ? kept : "en";
}

const i18n = i18next.createInstance();
const language = chosenLanguage();
document.documentElement.lang = language;
document.documentElement.dir = languages[language].dir;
void i18n.use({ type: "postProcessor", name: "pseudo", process: (value: string) => pseudo(value, language) }).init({
  lng: language,
  fallbackLng: "en",
  resources: {},
  initAsync: false,
  // React escapes what it puts into the page.
  interpolation: { escapeValue: false },
  ...(language === "en" ? {} : { postProcess: ["pseudo"] }),
});

/** The locale for dates and numbers. */
export const locale = language === "en" ? navigator.language : "en";

/**
 * Defines the texts of an area and gives the hook its screens read them with.
 *
 * @param area its name, once in the whole application
 * @example
 * export const useTexts = defineTexts("rooms", { title: "Rooms", members_one: "{{count}} member", members_other: "{{count}} members" });
 * const t = useTexts(); t("members", { count: 3 });
 */
export function defineTexts<const T extends Texts>(area: string, texts: T): UseTexts<TextKey<T>> {
  i18n.addResourceBundle("en", area, texts);
  // Typed by the keys of `texts`; the library's own types know one set of resources for the whole program.
  const textOf = (key: string, values: TOptions): string => i18n.t(key, { ...values, ns: area });
  const now: Translate<TextKey<T>> = (key, values) => textOf(key, { ...values });
  return Object.assign(() => now, { now });
}
