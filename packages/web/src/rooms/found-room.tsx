/**
 * Founds a room: a name, and how it is set, for ever.
 *
 * Invariant: who changes nothing has a room that only its members read, that keeps and signs messages, and whose past newcomers do not see.
 */
import { hasCode, roomNameSchema, type ErrorCode, type RoomPolicy } from "@althing/contract";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { Actions, Button, ChoiceField, Dialog, Refusal, TextField, useRefusalLine } from "../ui/index.ts";
import { useRoomsHome } from "./room-home.tsx";
import { useRoomTexts } from "./texts.ts";

const standard: RoomPolicy = { encrypt: true, persist: true, sign: true, history: "from-join" };

export function FoundRoom({ onClose }: { readonly onClose: () => void }) {
  const t = useRoomTexts();
  const { community } = useRoomsHome();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [policy, setPolicy] = useState(standard);
  const [isTried, setIsTried] = useState(false);
  const isName = roomNameSchema.safeParse(name).success;
  const found = useAct((client) => client.rooms.create({ name, policy, ...(community === undefined ? {} : { community }) }), {
    changes: ["rooms."],
    onDone: (room) =>
      void (community === undefined
        ? navigate({ to: "/rooms/$room", params: { room: room.name } })
        : navigate({ to: "/c/$community/rooms/$room", params: { community, room: room.name } })),
  });
  const { error } = found;
  const line = useRefusalLine(error);
  const told = (code: ErrorCode) => (hasCode(error, code) ? line : undefined);
  const nameFault = isTried && !isName ? t("found.nameFault") : (told("room.name_taken") ?? faultsByField(error).get("name"));
  const encryptFault = told("room.must_encrypt");
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    const wrong = form.current?.querySelector("[aria-invalid]");
    if (wrong instanceof HTMLElement) wrong.focus();
  }, [nameFault]);
  return (
    <Dialog title={t("found.title")} onClose={onClose}>
      <form
        ref={form}
        className="grid gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          setIsTried(true);
          if (isName && !found.isPending) found.mutate();
        }}
      >
        <TextField
          label={t("found.name")}
          hint={t("found.nameHint")}
          fault={nameFault}
          value={name}
          maxLength={64}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            found.reset();
            setName(event.target.value);
          }}
        />
        <PolicyFields policy={policy} encryptFault={encryptFault} onChange={(change) => setPolicy({ ...policy, ...change })} />
        <p className="text-sm text-soft">{t("found.forever")}</p>
        {error !== null && nameFault === undefined && encryptFault === undefined && <Refusal error={error} />}
        <Actions>
          <Button type="submit" busy={found.isPending}>
            {t("found.action")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

function PolicyFields({
  policy,
  encryptFault,
  onChange,
}: {
  readonly policy: RoomPolicy;
  readonly encryptFault: string | undefined;
  readonly onChange: (change: Partial<RoomPolicy>) => void;
}) {
  const t = useRoomTexts();
  const yesNo = (key: "encrypt" | "persist" | "sign") => [
    { value: "yes", label: t(`found.${key}Yes`), hint: t(`found.${key}YesHint`) },
    { value: "no", label: t(`found.${key}No`), hint: t(`found.${key}NoHint`) },
  ];
  const field = (key: "encrypt" | "persist" | "sign", fault?: string) => (
    <ChoiceField
      label={t(`found.${key}`)}
      name={key}
      value={policy[key] ? "yes" : "no"}
      options={yesNo(key)}
      fault={fault}
      onChange={(value) => onChange({ [key]: value === "yes" })}
    />
  );
  return (
    <>
      <ChoiceField
        label={t("found.history")}
        name="history"
        value={policy.history}
        options={[
          { value: "from-join", label: t("found.fromJoin"), hint: t("found.fromJoinHint") },
          { value: "shared", label: t("found.shared"), hint: t("found.sharedHint") },
        ]}
        onChange={(value) => onChange({ history: value === "shared" ? "shared" : "from-join" })}
      />
      <details className="rounded-lg border border-line px-4 py-2" open={encryptFault !== undefined || undefined}>
        <summary className="flex min-h-11 items-center font-semibold">{t("found.more")}</summary>
        <div className="grid gap-5 py-3">
          {field("encrypt", encryptFault)}
          {field("persist")}
          {field("sign")}
        </div>
      </details>
    </>
  );
}
