/** What an invitation gives, to how many, for how long. */
import type { RouteResponse } from "@althing/contract";
import { useState, type FormEvent } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { Button, Refusal, SelectField, TextField } from "../ui/index.ts";
import { RoleChoice } from "./role-choice.tsx";
import { useMembersTexts } from "./texts.ts";

const lengths = [
  ["day", 24],
  ["threeDays", 72],
  ["week", 168],
  ["month", 720],
  ["quarter", 2_160],
] as const;
const usesMax = 1_000;

export function InviteForm({ onMade }: { readonly onMade: (made: RouteResponse<"communities.invite">) => void }) {
  const t = useMembersTexts();
  const { community, ref } = useCommunity();
  const [chosen, setChosen] = useState<readonly string[]>(["member"]);
  const [uses, setUses] = useState("1");
  const [hours, setHours] = useState("168");
  const make = useAct(
    (client) =>
      client.call("communities.invite", {
        params: { community: ref },
        body: { roles: [...chosen], uses: Number(uses), expiresInHours: Number(hours) },
      }),
    { changes: ["communities.invitations"], onDone: onMade },
  );
  const faults = faultsByField(make.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (chosen.length > 0) make.mutate();
  };
  return (
    <form className="grid gap-4" onSubmit={submit}>
      <RoleChoice
        held={community.permissions}
        chosen={chosen}
        fault={chosen.length === 0 ? t("roles.needed") : undefined}
        onChange={setChosen}
      />
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField
          label={t("invitations.uses")}
          type="number"
          inputMode="numeric"
          required
          min={1}
          max={usesMax}
          value={uses}
          fault={faults.get("uses")}
          onChange={({ target }) => setUses(target.value)}
        />
        <SelectField
          label={t("invitations.lasts")}
          options={lengths.map(([name, length]) => ({ value: String(length), label: t(`invitations.hours.${name}`) }))}
          value={hours}
          fault={faults.get("expiresInHours")}
          onChange={({ target }) => setHours(target.value)}
        />
      </div>
      {make.error !== null && <Refusal error={make.error} />}
      <div>
        <Button type="submit" busy={make.isPending} disabled={chosen.length === 0}>
          {t("invitations.submit")}
        </Button>
      </div>
    </form>
  );
}
