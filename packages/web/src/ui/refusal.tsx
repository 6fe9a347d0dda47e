/**
 * Why something did not happen: the rule, what was seen, who can change it, what to do next, and the request's id for the operator.
 *
 * Invariant: every refusal of the platform is shown whole; what was refused in its own words, what to do next in the places of this application.
 */
import { isAppError } from "@althing/contract";
import { Button } from "./button.tsx";
import { useUiTexts } from "./texts.ts";
import { useAdvice } from "./use-advice.ts";

interface Told {
  readonly text: string;
  readonly next: string | undefined;
  readonly rows: readonly (readonly [string, string])[];
  readonly waitSeconds: number | undefined;
}

const hidden = new Set(["detail", "who", "rule", "observed", "text"]);

/** Statuses of refusals that another request of the same person can get past. */
const ownStatuses = new Set([400, 404, 409, 411, 412, 413, 415, 422, 428]);

function useTold(error: unknown): Told {
  const t = useUiTexts();
  const advice = useAdvice(error);
  if (!isAppError(error)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { text: `${t("refusal.unexpected")}. ${text}`, next: t("refusal.unexpectedNext"), rows: [], waitSeconds: undefined };
  }
  const { params } = error;
  const row = (name: string, value: string | number | boolean | undefined): (readonly [string, string])[] =>
    value === undefined || value === "" ? [] : [[name, String(value)]];
  // Who else it is, where it is somebody else, the advice says.
  const who =
    params["who"] ?? (error.row.kind === "system" ? t("refusal.operator") : ownStatuses.has(error.status) ? t("refusal.you") : undefined);
  const others = Object.entries(params).flatMap(([name, value]) =>
    hidden.has(name) || error.message.includes(String(value)) ? [] : row(name, value),
  );
  return {
    text: error.message,
    next: advice,
    rows: [
      ...row(t("refusal.rule"), params["rule"]),
      ...row(t("refusal.seen"), params["observed"]),
      ...row(t("refusal.who"), who),
      ...others,
      ...error.faults.map(({ path, message }) => [path, message] as const),
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
    <div role="alert" className="grid gap-2 rounded-lg border-s-4 border-bad bg-bad-tint p-4 text-ink">
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
          {rows.map(([name, value], at) => (
            <div key={`${name}-${at}`} className="contents">
              <dt>{name}</dt>
              <dd className="min-w-0 font-mono">
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
    </div>
  );
}
