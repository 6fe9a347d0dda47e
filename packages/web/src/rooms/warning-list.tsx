/** What the client library warned of, in words: it stands above the messages and cannot be put away. */
import { TriangleAlert } from "lucide-react";
import { Advice } from "../ui/index.ts";
import type { RoomWarning } from "./room-warnings.ts";
import { useRoomTexts } from "./texts.ts";

/** Words for each warning there is. */
const known = {
  "first-sight": "warning.first_sight",
  "epoch.forged": "warning.epoch_forged",
  "epoch.forked": "warning.epoch_forked",
  "epoch.rolled_back": "warning.epoch_rolled_back",
  "pin.changed": "warning.pin_changed",
  "pin.forged": "warning.pin_forged",
  "frame.malformed": "warning.frame_malformed",
  "frame.forged": "warning.frame_forged",
  "frame.replayed": "warning.frame_replayed",
  "frame.misplaced": "warning.frame_misplaced",
  "frame.gap": "warning.frame_gap",
} as const;

const isKnown = (code: string): code is keyof typeof known => Object.hasOwn(known, code);
/** After these the library sends nothing more. */
const stops = (code: string) => /^(?:epoch\.(?:forged|forked|rolled_back)|pin\.)/.test(code);

export function WarningList({ warnings }: { readonly warnings: readonly RoomWarning[] }) {
  const t = useRoomTexts();
  if (warnings.length === 0) return null;
  return (
    <section
      aria-label={t("warning.title")}
      className="max-h-56 overflow-y-auto rounded-lg border-s-4 border-note bg-note-tint p-3 sm:p-4"
      tabIndex={0}
    >
      <ul className="grid gap-3">
        {warnings.map(({ code, error, count }) => (
          <li key={`${code} ${error?.message ?? ""}`} className="flex gap-3">
            <TriangleAlert aria-hidden="true" className="mt-1 size-5 shrink-0 text-note" />
            <div className="min-w-0">
              <p className="font-semibold">{isKnown(code) ? t(known[code]) : t("warning.other")}</p>
              {error !== undefined && (
                <p className="text-sm">
                  <bdi>{error.message}</bdi>{" "}
                  <bdi>
                    <Advice error={error} />
                  </bdi>{" "}
                  <span className="text-soft">{count > 1 ? t("warning.times", { count }) : ""}</span>
                </p>
              )}
              {stops(code) && <p className="text-sm font-semibold">{t("warning.stopped")}</p>}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
