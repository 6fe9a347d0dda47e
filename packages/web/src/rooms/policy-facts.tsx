/** How a room is set, in words: short as badges, and in sentences. */
import type { RoomPolicy } from "@althing/contract";
import { EyeOff, Eye, History, Hourglass, PenLine, PenOff, Users } from "lucide-react";
import type { ComponentType, SVGProps } from "react";
import { Badge } from "../ui/index.ts";
import { useRoomTexts } from "./texts.ts";

/** What deserves to be seen at once; what is as it should be takes one badge. */
export function PolicyBadges({ policy: { encrypt, persist, sign } }: { readonly policy: RoomPolicy }) {
  const t = useRoomTexts();
  return (
    <>
      <Badge tone={encrypt ? "good" : "note"}>{t(encrypt ? "policy.encrypted" : "policy.plain")}</Badge>
      {!persist && <Badge tone="plain">{t("policy.passing")}</Badge>}
      {!sign && <Badge tone="note">{t("policy.unsigned")}</Badge>}
    </>
  );
}

type Icon = ComponentType<SVGProps<SVGSVGElement>>;

export function PolicyFacts({ policy: { encrypt, persist, sign, history } }: { readonly policy: RoomPolicy }) {
  const t = useRoomTexts();
  const lines: readonly (readonly [Icon, string])[] = [
    encrypt ? [EyeOff, t("policy.encryptedText")] : [Eye, t("policy.plainText")],
    persist ? [History, t("policy.keptText")] : [Hourglass, t("policy.passingText")],
    ...(persist ? [[Users, t(history === "shared" ? "policy.sharedText" : "policy.fromJoinText")] as const] : []),
    sign ? [PenLine, t("policy.signedText")] : [PenOff, t("policy.unsignedText")],
  ];
  return (
    <ul className="grid gap-2">
      {lines.map(([LineIcon, text]) => (
        <li key={text} className="flex gap-3">
          <LineIcon aria-hidden="true" className="mt-0.5 size-5 shrink-0 text-soft" />
          {text}
        </li>
      ))}
    </ul>
  );
}
