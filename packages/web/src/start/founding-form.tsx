/**
 * Founds a community, or asks for one where this instance founds on request.
 *
 * Invariant: what the server would refuse is said while it is typed; what it refuses all the same stands at the field it is about. Whether one may found or
 * must ask is the server's answer, and what was typed stays.
 */
import { communityNameSchema, hasCode, isAppError, ulidSchema, type Community, type FoundingRequest } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { Actions, Button, Refusal, TextArea, TextField, useRefusalLine } from "../ui/index.ts";
import { useStartTexts, type StartText } from "./texts.ts";
import { useFounding } from "./use-founding.ts";

const titleMaxChars = 80;

export interface FoundingFormProps {
  readonly onFounded: (community: Community) => void;
  readonly onAsked?: (request: FoundingRequest) => void;
}

function nameFault(name: string, isJudged: boolean, t: StartText): string | undefined {
  if (name === "" && !isJudged) return undefined;
  if (ulidSchema.safeParse(name.toUpperCase()).success) return t("founding.nameUlid");
  // A dash at the end may be the middle of a name that is still typed.
  return communityNameSchema.safeParse(isJudged ? name : name.replace(/-+$/, "")).success ? undefined : t("founding.nameWrong");
}

export function FoundingForm({ onFounded, onAsked }: FoundingFormProps) {
  const t = useStartTexts();
  const [typed, setTyped] = useState({ name: "", displayName: "", reason: "" });
  const [isJudged, setIsJudged] = useState(false);
  const [mustAsk, setMustAsk] = useState(false);
  const name = typed.name.trim();
  const displayName = typed.displayName.trim();
  const body = { name, ...(displayName === "" ? {} : { displayName }) };
  const found = useAct((client) => client.call("communities.create", { body }), { changes: ["communities."], onDone: onFounded });
  const ask = useAct((client) => client.call("founding.ask", { body: { ...body, reason: typed.reason } }), {
    changes: ["founding."],
    ...(onAsked === undefined ? {} : { onDone: onAsked }),
  });
  const founding = useFounding();
  const isOnRequest = mustAsk || founding === "asks" || hasCode(found.error, "community.approval_required");
  const act = isOnRequest ? ask : found;
  const faults = faultsByField(act.error);
  const line = useRefusalLine(act.error);
  // A refusal that is about what was typed into the first field.
  const nameRefusal = hasCode(act.error, "community.name_taken") ? line : undefined;
  const set = (change: Partial<typeof typed>) => {
    setTyped({ ...typed, ...change });
    setIsJudged(false);
    if (hasCode(found.error, "community.approval_required")) setMustAsk(true);
    act.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsJudged(true);
    if (nameFault(name, true, t) === undefined && displayName.length <= titleMaxChars && !act.isPending) act.mutate();
  };
  const isToldAtField = nameRefusal !== undefined || (isAppError(act.error) && faults.has("name"));
  return (
    <form noValidate className="grid max-w-2xl gap-4" onSubmit={submit}>
      <TextField
        label={t("founding.name")}
        hint={t("founding.nameRule")}
        fault={nameFault(name, isJudged, t) ?? nameRefusal ?? faults.get("name")}
        value={typed.name}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={({ target }) => set({ name: target.value })}
      />
      {name !== "" && <p className="text-sm text-soft">{t("founding.address", { address: `${location.host}/c/${name}` })}</p>}
      <TextField
        label={t("founding.displayName")}
        hint={t("founding.displayNameHint")}
        optional
        fault={displayName.length > titleMaxChars ? t("founding.displayNameLong") : faults.get("displayName")}
        value={typed.displayName}
        onChange={({ target }) => set({ displayName: target.value })}
      />
      {isOnRequest && (
        <>
          <p role="status" className="rounded-lg bg-note-tint p-4 text-ink">
            {t("founding.refusedMode")}
          </p>
          <TextArea
            label={t("founding.reason")}
            hint={t("founding.reasonHint")}
            fault={faults.get("reason")}
            value={typed.reason}
            maxLength={2_000}
            onChange={({ target }) => set({ reason: target.value })}
          />
        </>
      )}
      {act.error !== null && !isToldAtField && !hasCode(act.error, "community.approval_required") && (
        <Refusal error={act.error} {...(hasCode(act.error, "auth.forbidden") ? { title: t("founding.adminsOnly") } : {})} />
      )}
      <Actions>
        <Button type="submit" busy={act.isPending}>
          {isOnRequest ? t("founding.ask") : t("founding.submit")}
        </Button>
      </Actions>
    </form>
  );
}
