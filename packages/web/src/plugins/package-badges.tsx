/** State and signature of a package as badges, with words and a sign of their own beside the colour. */
import type { Install, TrustState } from "@althing/contract";
import { Badge, type Tone } from "../ui/status.tsx";
import { moodOf, signatureOf, type InstallMood, type SignatureMood } from "./install-state.ts";
import { usePluginTexts } from "./texts.ts";

const moodTones: Readonly<Record<InstallMood, Tone>> = {
  active: "good",
  inactive: "plain",
  waits: "note",
  upgrade: "note",
  quarantined: "bad",
  blocked: "bad",
};
const moodSigns: Readonly<Record<InstallMood, string>> = {
  active: "●",
  inactive: "○",
  waits: "◔",
  upgrade: "◔",
  quarantined: "✕",
  blocked: "✕",
};
const signatureTones: Readonly<Record<SignatureMood, Tone>> = {
  listed: "good",
  trusted: "good",
  unknown: "note",
  unsigned: "note",
  revoked: "bad",
  broken: "bad",
};
const signatureSigns: Readonly<Record<SignatureMood, string>> = {
  listed: "✓",
  trusted: "✓",
  unknown: "?",
  unsigned: "!",
  revoked: "✕",
  broken: "✕",
};

export function MoodBadge({ install }: { readonly install: Pick<Install, "state" | "blocked" | "pending"> }) {
  const t = usePluginTexts();
  const mood = moodOf(install);
  return (
    <Badge tone={moodTones[mood]}>
      <span aria-hidden="true">{moodSigns[mood]}</span>
      <span>{t(`moods.${mood}`)}</span>
    </Badge>
  );
}

export function SignatureBadge({
  trust,
  listed,
}: {
  readonly trust: TrustState;
  /** Publishers of the community's list. */ readonly listed?: readonly string[] | undefined;
}) {
  const t = usePluginTexts();
  const mood = signatureOf(trust, listed);
  return (
    <Badge tone={signatureTones[mood]}>
      <span aria-hidden="true">{signatureSigns[mood]}</span>
      <span>{t(`signatures.${mood}`)}</span>
    </Badge>
  );
}
