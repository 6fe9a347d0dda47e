/** The posture of the instance, shown to anybody: whether it is ready, and every protection with what it means. */
import { fetchHealth } from "@althing/client";
import type { Health } from "@althing/contract";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { orSilence } from "../app/patient-client.ts";
import { Badge, Refusal, Section, Skeleton } from "../ui/index.ts";
import { postureLines, type Level } from "./posture-lines.ts";
import { usePostureTexts, type PostureText } from "./posture-texts.ts";

const askedEveryMs = 15_000;

/** Asked without an identity: anybody may. */
export function useHealth(): UseQueryResult<Health> {
  return useQuery({
    queryKey: ["health"],
    queryFn: () => orSilence(fetchHealth(location.origin)),
    refetchInterval: askedEveryMs,
    retry: false,
  });
}

const headlines: { readonly [S in Health["status"]]: (t: PostureText) => string } = {
  ready: (t) => t("ready"),
  starting: (t) => t("starting"),
  stopping: (t) => t("stopping"),
  unavailable: (t) => t("unavailable"),
};
const words: { readonly [L in Level]: (t: PostureText) => string } = {
  good: (t) => t("good"),
  note: (t) => t("note"),
  bad: (t) => t("bad"),
};

export function PosturePart({ health }: { readonly health: UseQueryResult<Health> }) {
  const t = usePostureTexts();
  if (health.isPending)
    return (
      <Section title={t("title")}>
        <Skeleton rows={5} />
      </Section>
    );
  if (health.data === undefined)
    return (
      <Section title={t("unreachable")}>
        <Refusal error={health.error} onRetry={() => void health.refetch()} />
      </Section>
    );
  return <Known health={health.data} />;
}

/** Flags of the command line are not broken in the middle. */
function WithFlags({ text }: { readonly text: string }) {
  return text.split(/(--[a-z][a-z-]*)/).map((part, at) =>
    at % 2 === 0 ? (
      part
    ) : (
      <code key={at} className="whitespace-nowrap">
        {part}
      </code>
    ),
  );
}

function Known({ health }: { readonly health: Health }) {
  const t = usePostureTexts();
  const lines = postureLines(health.posture, t);
  const open = lines.filter(({ level }) => level === "bad").length;
  const lead = health.status !== "ready" ? (health.reason ?? t("soon")) : open === 0 ? t("allHold") : t("open", { count: open });
  return (
    <Section title={headlines[health.status](t)} lead={lead}>
      <ul aria-label={t("title")} className="grid gap-x-8 sm:grid-cols-2">
        {lines.map(({ field, level, what, state, why }) => (
          <li key={field} className="grid grid-cols-[4.5rem_1fr] items-start gap-3 border-t border-line py-3">
            <span>
              <Badge tone={level}>{words[level](t)}</Badge>
            </span>
            <div>
              <p>
                <strong>{what}</strong> <span className="text-soft">{state}</span>
              </p>
              <p className="text-sm text-soft">
                <WithFlags text={why} />
              </p>
            </div>
          </li>
        ))}
      </ul>
      <p className="mt-4 text-sm text-soft">{t("version", { version: health.version, node: health.node })}</p>
    </Section>
  );
}
