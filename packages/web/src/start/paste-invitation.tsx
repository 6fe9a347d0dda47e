/** A field for an invitation that came as text: a link, or the token alone. */
import { useState, type FormEvent } from "react";
import type { Token } from "../app/token.tsx";
import { Button, TextField } from "../ui/index.ts";
import { readPasted } from "./invitation-link.ts";
import { useStartTexts, type StartText } from "./texts.ts";

export interface PasteInvitationProps {
  readonly onToken: (token: Token) => void;
  /** What a token is taken for that does not say. Default: an invitation to the instance. */
  readonly bare?: Token["kind"];
  /** Kinds that are of no use here, and what is said of them. */
  readonly refused?: (kind: Token["kind"], t: StartText) => string | undefined;
}

/** By default for newcomers: an invitation to a community lets nobody into the instance. */
const needsJoin: PasteInvitationProps["refused"] = (kind, t) => (kind === "invitation" ? t("paste.needJoin") : undefined);

export function PasteInvitation({ onToken, bare = "join", refused = needsJoin }: PasteInvitationProps) {
  const t = useStartTexts();
  const [text, setText] = useState("");
  const [fault, setFault] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readPasted(text, location.origin);
    if (read.state === "none") return setFault(t("paste.none"));
    if (read.state === "elsewhere") return setFault(t("paste.elsewhere", { host: read.host }));
    const kind = read.kind ?? bare;
    const reason = refused?.(kind, t);
    setFault(reason);
    if (reason === undefined) onToken({ kind, token: read.token });
  };
  return (
    <form noValidate className="grid gap-3 sm:grid-cols-[1fr_auto] sm:items-end" onSubmit={submit}>
      <TextField
        label={t("paste.field")}
        fault={fault}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setFault(undefined);
        }}
      />
      <div>
        <Button type="submit" tone="quiet">
          {t("paste.go")}
        </Button>
      </div>
    </form>
  );
}
