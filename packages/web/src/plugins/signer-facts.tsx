/** Who made a package and who signed it, and what that is worth here. */
import type { Install, TrustState } from "@althing/contract";
import { fullTime } from "../app/times.ts";
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
        {trust.chain.length > 0 && <Chain chain={trust.chain} />}
      </div>
    </Card>
  );
}

/** From the signer's own certificate to the one that is trusted here: what there is to compare before one agrees. */
function Chain({ chain }: { readonly chain: TrustState["chain"] }) {
  const t = usePackageTexts();
  return (
    <div className="grid gap-2">
      <h3 className="font-semibold">{t("signer.chain")}</h3>
      <ol aria-label={t("signer.chain")} className="grid list-decimal gap-2 ps-5">
        {chain.map(({ subject, sha256, notAfter }) => (
          <li key={sha256}>
            <bdi>{subject}</bdi>, {t("signer.validTo", { time: fullTime(notAfter) })}
            <br />
            <code className="text-sm break-all text-soft">{sha256}</code>
          </li>
        ))}
      </ol>
    </div>
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
