/**
 * The reader's own place: roles, since when, leaving, and erasing what names them.
 *
 * Invariant: whoever leaves or erases reads first what goes and what stays. Afterwards the page goes to the start, because the community is no place for them.
 */
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct, usePages } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useMorePages } from "../app/people.tsx";
import { useSession } from "../app/session.tsx";
import { Button, CheckField, ConfirmDialog, Facts, Section, Time, useToast } from "../ui/index.ts";
import { usePermissionName } from "./permission-name.ts";
import { RoleBadges } from "./role-badges.tsx";
import { useMembersTexts } from "./texts.ts";

const lookedThroughMax = 5_000;

/** The reader's own row among the members. */
function useOwnRow(ref: string, isMember: boolean) {
  const { identity } = useSession();
  const list = usePages(
    "communities.members",
    (after) => ({ params: { community: ref }, query: { limit: 500, ...(after === undefined ? {} : { after }) } }),
    ({ members, next }) => ({ rows: members, next }),
    { enabled: isMember },
  );
  const own = list.rows.find(({ endpoint }) => endpoint === identity.endpoint);
  useMorePages(list, own === undefined, lookedThroughMax);
  return own;
}

export function MembershipSection() {
  const t = useMembersTexts();
  const nameOf = usePermissionName();
  const { community, ref } = useCommunity();
  const own = useOwnRow(ref, community.roles !== undefined);
  const [asked, setAsked] = useState<"leave" | "erase" | undefined>();
  const close = () => setAsked(undefined);
  if (community.roles === undefined) return <Section title={t("mine.title")}>{t("mine.none")}</Section>;
  const may = community.permissions.map(nameOf);
  return (
    <Section
      id="membership"
      title={t("mine.title")}
      lead={t("mine.lead")}
      actions={
        <>
          <Button tone="quiet" onClick={() => setAsked("leave")}>
            {t("mine.leave")}
          </Button>
          <Button tone="quiet" onClick={() => setAsked("erase")}>
            {t("mine.erase")}
          </Button>
        </>
      }
    >
      <Facts
        facts={[
          [t("mine.roles"), <RoleBadges key="roles" roles={community.roles} />],
          own === undefined ? undefined : [t("mine.since"), <Time key="since" at={own.since} form="day" />],
          [t("mine.may"), may.length === 0 ? t("mine.nothing") : <Permissions key="may" names={may} />],
        ]}
      />
      {asked === "leave" && <LeaveDialog onClose={close} />}
      {asked === "erase" && <EraseDialog onClose={close} />}
    </Section>
  );
}

function Permissions({ names }: { readonly names: readonly string[] }) {
  return (
    <ul className="list-disc gap-x-8 ps-5 sm:columns-2">
      {names.map((name) => (
        <li key={name}>
          <bdi>{name}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Goes to the start once the server has confirmed that the reader is out. */
function useGoing(text: string) {
  const navigate = useNavigate();
  const toast = useToast();
  return () => {
    toast({ text });
    void navigate({ to: "/" });
  };
}

function LeaveDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useMembersTexts();
  const { community, ref } = useCommunity();
  const { identity } = useSession();
  const leave = useAct((client) => client.call("communities.removeMember", { params: { community: ref, endpoint: identity.endpoint } }), {
    changes: ["communities.list"],
    onDone: useGoing(t("mine.left")),
  });
  return (
    <ConfirmDialog
      title={t("mine.leaveTitle")}
      action={t("mine.leaveAction")}
      danger
      busy={leave.isPending}
      error={leave.error}
      onConfirm={() => leave.mutate()}
      onClose={onClose}
    >
      <p>{t("mine.leaveText")}</p>
      {community.roles?.includes("owner") === true && <p>{t("mine.leaveOwner")}</p>}
    </ConfirmDialog>
  );
}

function EraseDialog({ onClose }: { readonly onClose: () => void }) {
  const t = useMembersTexts();
  const { community, ref } = useCommunity();
  const { identity } = useSession();
  const [isSure, setIsSure] = useState(false);
  const erase = useAct((client) => client.call("communities.erase", { params: { community: ref, endpoint: identity.endpoint } }), {
    changes: ["communities.list"],
    onDone: useGoing(t("mine.erased")),
  });
  return (
    <ConfirmDialog
      title={t("mine.eraseTitle")}
      action={t("mine.eraseAction")}
      danger
      busy={erase.isPending}
      error={erase.error}
      ready={isSure}
      onConfirm={() => erase.mutate()}
      onClose={onClose}
    >
      <p>{t("mine.eraseGoes")}</p>
      <p>{t("mine.eraseStays")}</p>
      <p>{t("mine.eraseRooms")}</p>
      {community.roles?.includes("owner") === true && <p>{t("mine.leaveOwner")}</p>}
      <p className="font-semibold">{t("mine.eraseFinal")}</p>
      <CheckField label={t("mine.eraseSure")} checked={isSure} onChange={({ target }) => setIsSure(target.checked)} />
    </ConfirmDialog>
  );
}
