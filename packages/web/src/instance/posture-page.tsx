/** What protects the instance, with what to do where something does not. */
import { PosturePart, useHealth } from "../start/posture-part.tsx";
import { InstanceFrame } from "./instance-frame.tsx";
import { useInstanceTexts } from "./texts.ts";

export function PosturePage() {
  const t = useInstanceTexts();
  return (
    <InstanceFrame title={t("tabs.posture")} lead={t("posture.lead")}>
      <PosturePart health={useHealth()} />
    </InstanceFrame>
  );
}
