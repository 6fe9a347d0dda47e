/** How somebody comes into a community that is there. */
import { LinkButton } from "../ui/index.ts";
import { useStartTexts } from "./texts.ts";

export function WaysIn() {
  const t = useStartTexts();
  return (
    <>
      <LinkButton to="/communities/directory">{t("home.find")}</LinkButton>
      <LinkButton to="/communities/invitation" tone="quiet">
        {t("home.useInvitation")}
      </LinkButton>
    </>
  );
}
