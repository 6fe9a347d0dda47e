/** A number of a count: rounded where it is a fraction, with the exact one beside it for who wants it. */
import { locale } from "../app/i18n.ts";
import { amountText, type Amount as AmountValue } from "./amounts.ts";
import { useResultTexts } from "./texts.ts";

export function Amount({ amount }: { readonly amount: AmountValue | undefined }) {
  const t = useResultTexts();
  const { text, exact } = amountText(amount, locale);
  return <span {...(exact === undefined ? {} : { title: t("exact", { exact }) })}>{text}</span>;
}
