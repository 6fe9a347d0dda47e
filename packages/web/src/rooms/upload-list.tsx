/** Files that are being sent, how far they are, and those that were not. */
import { Button, Progress, Refusal } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";
import type { Upload } from "./use-uploads.ts";

export function UploadList({ uploads, onDismiss }: { readonly uploads: readonly Upload[]; readonly onDismiss: (id: string) => void }) {
  const t = useRoomTexts();
  if (uploads.length === 0) return null;
  return (
    <ul className="grid max-h-48 gap-2 overflow-y-auto">
      {uploads.map(({ id, name, share, error, stop }) => (
        <li key={id} className="grid gap-2 rounded-lg border border-line bg-card p-3">
          {error === undefined ? (
            <div className="flex items-end gap-3">
              <div className="min-w-0 flex-1">
                <Progress
                  label={share === undefined ? t("composer.encrypting", { name }) : t("composer.uploading", { name })}
                  {...(share === undefined ? {} : { value: share })}
                />
              </div>
              <Button tone="plain" aria-label={t("composer.stopNamed", { name })} onClick={stop}>
                {t("composer.stop")}
              </Button>
            </div>
          ) : (
            <>
              <Refusal title={t("composer.uploadFailed", { name })} error={error} />
              <div>
                <Button tone="quiet" onClick={() => onDismiss(id)}>
                  {t("composer.dismiss")}
                </Button>
              </div>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}
