/** Who made a package and who signed it, and what that is worth here. */
import type { Install, TrustState } from "@althing/contract";
import { Card, Facts } from "../ui/index.ts";
import type { ManifestView } from "./manifest-view.ts";
import { signatureOf } from "./install-state.ts";
import { SignatureBadge } from "./package-badges.tsx";
import { usePackageTexts } from "./package-texts.ts";
import { usePluginTexts } from "./texts.ts";

export function SignerFacts({ install: { trust }, view }: { readonly install: Pick<Install, "trust">; readonly view: ManifestView }) {
  const t = usePackageTexts();
  const p = usePluginTexts();
  const mood = signatureOf(trust);
  return (
    <Card {...(trust.verified ? {} : { tone: "note" as const })}>
      <div className="grid gap-3">
        <p className="flex flex-wrap items-center gap-2">
          <SignatureBadge trust={trust} />
          <span>{p(`signatureHints.${mood}`)}</span>
        </p>
        <Facts
          facts={[
            [t("signer.publisher"), <bdi key="publisher">{view.publisher.name}</bdi>],
            trust.signer === undefined ? undefined : [t("signer.by"), <SignerName key="by" signer={trust.signer} />],
            trust.reason === undefined ? undefined : [t("signer.why"), <bdi key="why">{trust.reason.text}</bdi>],
          ]}
        />
      </div>
    </Card>
  );
}

function SignerName({ signer }: { readonly signer: NonNullable<TrustState["signer"]> }) {
  const t = usePackageTexts();
  return (
    <span>
      <bdi className="font-mono text-sm break-all">{signer.publisherId}</bdi>{" "}
      <span className="text-soft">({t(`signer.${signer.kind}`)})</span>
    </span>
  );
}
