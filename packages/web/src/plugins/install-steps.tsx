/**
 * What happens while a package comes in.
 *
 * Invariant: it claims no more than is known: the browser sees its own reading of files and then one request, and the instance does not say how far it is.
 */
import { useId } from "react";
import { Badge, classNames, Progress } from "../ui/index.ts";
import { usePluginTexts } from "./texts.ts";

export type InstallStep = "read" | "send" | "fetch" | "verify" | "compile" | "record";

export function InstallSteps({
  label,
  steps,
  now,
}: {
  readonly label: string;
  readonly steps: readonly InstallStep[];
  /** Steps from here on, and together with the next ones that nobody can tell apart. */ readonly now: readonly InstallStep[];
}) {
  const t = usePluginTexts();
  const id = useId();
  const first = steps.findIndex((step) => now.includes(step));
  return (
    <div role="status" aria-labelledby={id} className="grid gap-3 rounded-lg border border-line bg-raised p-4">
      <p id={id} className="font-semibold">
        {t("install.steps")}
      </p>
      <Progress label={label} />
      <ol className="grid text-sm">
        {steps.map((step, at) => (
          <li
            key={step}
            className={classNames(
              "flex flex-wrap items-center gap-2 border-s-4 py-1 ps-3",
              now.includes(step) ? "border-accent font-semibold" : "border-line text-soft",
            )}
          >
            {t(`install.stepsList.${step}`)}
            {at < first && <Badge tone="good">{t("install.stepDone")}</Badge>}
            {at === first && <Badge tone="accent">{t(now.length === 1 ? "install.stepNow" : "install.stepOneOf")}</Badge>}
          </li>
        ))}
      </ol>
      <p className="text-sm text-soft">{t("install.noDetail")}</p>
    </div>
  );
}
