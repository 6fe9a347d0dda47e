/** Settings of a package by its own schema, and its secrets. */
import type { Install } from "@althing/contract";
import { useAct } from "../app/calls.ts";
import { ThoseWhoCan } from "../app/people.tsx";
import { Section, useToast } from "../ui/index.ts";
import { packageChanges, type PackageHere } from "./package-here.ts";
import { usePackageTexts } from "./package-texts.ts";
import { SecretsSection } from "./secrets-section.tsx";
import { SettingsEditor } from "./settings-editor.tsx";
import type { Settings } from "./settings-form.tsx";
import { useSettingTexts } from "./setting-texts.ts";

export function SettingsTab({ here }: { readonly here: PackageHere }) {
  const t = usePackageTexts();
  const s = useSettingTexts();
  const toast = useToast();
  const { install, view, params, maySet } = here;
  const save = useAct(
    (client, settings: Settings) =>
      client.call("packages.change", { params, body: { settings: { ...settings } } }, { ifMatch: String(install.revision) }),
    { changes: packageChanges, onDone: (_after: Install) => toast({ text: s("saved") }) },
  );
  return (
    <>
      <Section
        title={t("settings.title")}
        lead={maySet ? undefined : <ThoseWhoCan permission="plugins.settings.manage" text={t("settings.readOnly")} />}
      >
        {view.settings === undefined ? (
          <p className="text-soft">{t("settings.none")}</p>
        ) : (
          <SettingsEditor
            schema={view.settings}
            value={install.settings}
            isReadOnly={!maySet}
            busy={save.isPending}
            error={save.error}
            onSave={(settings) => save.mutate(settings)}
          />
        )}
      </Section>
      <SecretsSection here={here} />
    </>
  );
}
