/**
 * Why something did not happen: the rule, what was seen, who can change it, what to do next, and the request's id for the operator.
 *
 * Invariant: every refusal of the platform is shown whole; what was refused in its own words, what to do next in the places of this application. Whoever pressed
 * the button reads on here.
 */
import { isAppError } from "@althing/contract";
import { Button } from "./button.tsx";
import { classNames } from "./class-names.ts";
import { useUiTexts } from "./texts.ts";
import { Told } from "./told.tsx";
import { useAdvice } from "./use-advice.ts";
import { whoCan } from "./who-can.ts";

interface Row {
  readonly name: string;
  readonly value: string;
  /** For machines, and to be read to somebody letter by letter. */
  readonly isCode?: boolean;
}

interface Told {
  readonly text: string;
  readonly next: string | undefined;
  readonly rows: readonly Row[];
  readonly waitSeconds: number | undefined;
}

const hidden = new Set(["detail", "who", "rule", "observed", "text", "requestId"]);
const factNames = [
  ...(["key", "level", "path", "limit", "expected", "host", "version", "state"] as const),
  ...(["capability", "extension", "module", "community", "room", "role", "handle"] as const),
];

function useTold(error: unknown): Told {
  const t = useUiTexts();
  const advice = useAdvice(error);
  if (!isAppError(error)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { text: `${t("refusal.unexpected")}. ${text}`, next: t("refusal.unexpectedNext"), rows: [], waitSeconds: undefined };
  }
  const { params } = error;
  const row = (name: string, value: string | number | boolean | undefined, isCode = true): Row[] =>
    value === undefined || value === "" ? [] : [{ name, value: String(value), isCode }];
  const factName = (name: string): string => {
    const known = factNames.find((one) => one === name);
    return known === undefined ? name : t(`refusal.facts.${known}`);
  };
  const able = whoCan(error.code, error.row);
  const who = params["who"] ?? (able === undefined ? undefined : t(`refusal.${able}`));
  const others = Object.entries(params).flatMap(([name, value]) =>
    hidden.has(name) || error.message.includes(String(value)) ? [] : row(factName(name), value),
  );
  return {
    text: error.message,
    next: advice,
    rows: [
      ...row(t("refusal.rule"), params["rule"]),
      ...row(t("refusal.seen"), params["observed"]),
      ...row(t("refusal.who"), who, false),
      ...others,
      ...error.faults.map(({ path, message }) => ({ name: path, value: message })),
      ...row(t("refusal.code"), error.code),
      ...row(t("refusal.request"), error.requestId),
    ],
    waitSeconds: error.retryAfterSeconds,
  };
}

/** @param title what was tried, if that is not plain from where it stands */
export function Refusal({ error, title, onRetry }: { readonly error: unknown; readonly title?: string; readonly onRetry?: () => void }) {
  const t = useUiTexts();
  const { text, next, rows, waitSeconds } = useTold(error);
  return (
    <Told told={error} className="grid gap-2 rounded-lg border-s-4 border-bad bg-bad-tint p-4 text-ink">
      {title !== undefined && <p className="font-semibold">{title}</p>}
      <p className="whitespace-pre-wrap">
        <bdi>{text}</bdi>
      </p>
      {next !== undefined && next !== "" && (
        <p>
          <strong>{t("refusal.next")}:</strong> <bdi>{next}</bdi>
        </p>
      )}
      {waitSeconds !== undefined && <p>{t("refusal.wait", { count: waitSeconds })}</p>}
      {rows.length > 0 && (
        <dl className="grid gap-x-4 gap-y-0.5 text-sm sm:grid-cols-[max-content_1fr]">
          {rows.map(({ name, value, isCode }, at) => (
            <div key={`${name}-${at}`} className="contents">
              <dt className="text-soft max-sm:mt-1">{name}</dt>
              <dd className={classNames("min-w-0", isCode === true && "font-mono")}>
                <bdi>{value}</bdi>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {onRetry !== undefined && (
        <div>
          <Button tone="quiet" onClick={onRetry}>
            {t("retry")}
          </Button>
        </div>
      )}
    </Told>
  );
}
