/** Makes a link that lets one person into the instance. The token is in this page alone: it is shown once, and gone with the page. */
import { useAct } from "../app/calls.ts";
import { Button, CopyButton, Refusal, Time } from "../ui/index.ts";
import { joinLink } from "./invitation-link.ts";
import { useStartTexts } from "./texts.ts";

export function InstanceInvitation() {
  const t = useStartTexts();
  const invite = useAct((client) => client.call("invitations.create", { body: {} }), { changes: [] });
  const made = invite.data;
  const link = made === undefined ? "" : joinLink(location.origin, made.token);
  return (
    <div className="grid gap-4">
      {made !== undefined && (
        <div className="grid gap-2 rounded-lg bg-raised p-4">
          <p className="font-semibold">{t("home.inviteLink")}</p>
          <code className="break-all select-all">{link}</code>
          <p className="text-sm text-soft">
            {t("home.inviteOnce")} {t("home.inviteUntil")} <Time at={made.expiresAt} form="short" />.
          </p>
          <CopyButton text={link} />
        </div>
      )}
      {invite.error !== null && <Refusal error={invite.error} />}
      <div>
        <Button tone={made === undefined ? "primary" : "quiet"} busy={invite.isPending} onClick={() => invite.mutate()}>
          {made === undefined ? t("home.invite") : t("home.inviteAnother")}
        </Button>
      </div>
    </div>
  );
}
