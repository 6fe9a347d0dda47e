/** The safety number with somebody: sixty digits that two people compare by another way, to know that nobody is in between. */
import { useState, type FormEvent } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { Button, Refusal, Section, TextField } from "../ui/index.ts";
import { useStartTexts } from "./texts.ts";

export function SafetyNumber() {
  const t = useStartTexts();
  const { user } = useSession();
  const [handle, setHandle] = useState("");
  const [isSelf, setIsSelf] = useState(false);
  const read = useAct(async (client, who: string) => ({ who, number: await client.safetyNumber(who) }), { changes: [] });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const who = handle.trim().toLowerCase();
    setIsSelf(who === user.handle);
    if (who !== "" && who !== user.handle && !read.isPending) read.mutate(who);
  };
  return (
    <Section title={t("identity.safety")} lead={t("identity.safetyLead")}>
      <div className="grid gap-4">
        <form noValidate className="grid gap-3 sm:max-w-xl sm:grid-cols-[1fr_auto] sm:items-end" onSubmit={submit}>
          <TextField
            label={t("identity.safetyWith")}
            fault={isSelf ? t("identity.safetySelf") : undefined}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={handle}
            onChange={({ target }) => {
              setHandle(target.value);
              setIsSelf(false);
            }}
          />
          <div>
            <Button type="submit" tone="quiet" busy={read.isPending}>
              {t("identity.safetyShow")}
            </Button>
          </div>
        </form>
        {read.error !== null && <Refusal error={read.error} />}
        {read.data !== undefined && (
          <div className="grid gap-2">
            <p className="font-semibold">{t("identity.safetyOf", { handle: read.data.who })}</p>
            <p className="max-w-md rounded-lg bg-raised p-4 font-mono text-lg tracking-wide">{read.data.number}</p>
            <p className="max-w-prose text-sm text-soft">{t("identity.safetySame")}</p>
          </div>
        )}
      </div>
    </Section>
  );
}
