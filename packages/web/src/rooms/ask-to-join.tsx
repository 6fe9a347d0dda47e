/** The way into a room that one knows by its name: owners and moderators are asked. */
import { hasCode, roomIdSchema, roomNameSchema } from "@althing/contract";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { Button, Refusal, Section, TextField, useRefusalLine } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";

export function AskToJoin() {
  const t = useRoomTexts();
  const [name, setName] = useState("");
  const [isTried, setIsTried] = useState(false);
  const wanted = name.trim();
  const isName = roomNameSchema.safeParse(wanted).success || roomIdSchema.safeParse(wanted).success;
  const ask = useAct((client, room: string) => client.call("rooms.join", { params: { room }, body: {} }), { changes: ["rooms."] });
  const isOfField = hasCode(ask.error, "room.not_found", "room.not_in_community");
  const line = useRefusalLine(ask.error);
  const fault = isTried && !isName ? t("found.nameFault") : isOfField ? line : undefined;
  const done = ask.isSuccess ? (ask.data.status === "joined" ? t("list.joined", { room: ask.variables }) : t("list.asked")) : "";
  return (
    <Section title={t("list.askTitle")}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          setIsTried(true);
          if (isName && !ask.isPending) ask.mutate(wanted);
        }}
      >
        <TextField
          label={t("list.askLabel")}
          hint={t("list.askHint")}
          fault={fault}
          value={name}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            ask.reset();
            setIsTried(false);
            setName(event.target.value);
          }}
        />
        {ask.isError && !isOfField && <Refusal error={ask.error} />}
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" tone="quiet" busy={ask.isPending} disabled={wanted === ""}>
            {t("list.ask")}
          </Button>
          <p role="status" className="text-good">
            {done}
          </p>
        </div>
      </form>
    </Section>
  );
}
