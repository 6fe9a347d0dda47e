/** One comment: what it says, or who removed it and why, and what the reader may do with it. */
import type { Comment } from "@althing/contract";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { useSession } from "../app/session.tsx";
import { Actions, Button, ConfirmDialog, Refusal, TextArea, Time } from "../ui/index.ts";
import { CommentForm } from "./comment-form.tsx";
import { isolated } from "../app/isolate.ts";
import { PersonOf, useHandle } from "./person-of.tsx";
import { GivenText } from "./proposal-facts.tsx";
import { useTalkTexts } from "./talk-texts.ts";
import type { OfProposal } from "./use-proposal.ts";

interface Props {
  readonly comment: Comment;
  readonly params: OfProposal;
  readonly maySpeak: boolean;
  readonly mayAnswer: boolean;
}

export function CommentItem({ comment, params, maySpeak, mayAnswer }: Props) {
  const t = useTalkTexts();
  const [mode, setMode] = useState<"read" | "answer" | "edit" | "remove">("read");
  const handle = useHandle(comment.author);
  const { author, at, editedAt, removed, body } = comment;
  const read = () => setMode("read");
  return (
    <article className="grid gap-1.5">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-soft">
        <PersonOf endpoint={author} />
        <Time at={at} />
        {editedAt !== undefined && removed === undefined && <span>{t("edited")}</span>}
      </p>
      {removed !== undefined ? (
        <Removed removed={removed} />
      ) : mode === "edit" ? (
        <EditForm comment={comment} params={params} onDone={read} />
      ) : (
        <GivenText text={body} />
      )}
      {removed === undefined && mode === "read" && <Ways comment={comment} maySpeak={maySpeak} mayAnswer={mayAnswer} onMode={setMode} />}
      {mode === "answer" && (
        <CommentForm params={params} parent={comment.id} label={t("answerTo", { name: isolated(handle ?? "") })} onDone={read} />
      )}
      {mode === "remove" && <RemoveDialog comment={comment} params={params} onClose={read} />}
    </article>
  );
}

function Ways({
  comment: { author },
  maySpeak,
  mayAnswer,
  onMode,
}: Pick<Props, "comment" | "maySpeak" | "mayAnswer"> & { readonly onMode: (mode: "answer" | "edit" | "remove") => void }) {
  const t = useTalkTexts();
  const { can } = useCommunity();
  const isOwn = useSession().identity.endpoint === author;
  return (
    <div className="-ms-4 flex flex-wrap">
      {mayAnswer && (
        <Button tone="plain" onClick={() => onMode("answer")}>
          {t("answer")}
        </Button>
      )}
      {isOwn && maySpeak && (
        <Button tone="plain" onClick={() => onMode("edit")}>
          {t("edit")}
        </Button>
      )}
      {(isOwn || can("proposals.manage")) && (
        <Button tone="plain" onClick={() => onMode("remove")}>
          {t("remove")}
        </Button>
      )}
    </div>
  );
}

function Removed({ removed: { by, reason } }: { readonly removed: NonNullable<Comment["removed"]> }) {
  const t = useTalkTexts();
  const { ref } = useCommunity();
  return (
    <div className="grid gap-1 rounded-lg border border-dashed border-edge p-3 text-soft">
      <p>{t(`removedBy.${by}`)}</p>
      {reason !== undefined && <GivenText text={reason} className="text-ink" />}
      {by === "moderator" && (
        <p className="text-sm">
          {t("ledger")}{" "}
          <Link to="/c/$community/moderation" params={{ community: ref }}>
            {t("ledgerLink")}
          </Link>
        </p>
      )}
    </div>
  );
}

function EditForm({ comment, params, onDone }: { readonly comment: Comment; readonly params: OfProposal; readonly onDone: () => void }) {
  const t = useTalkTexts();
  const [body, setBody] = useState(comment.body);
  const [revision] = useState(comment.revision);
  const saving = useAct(
    (client) =>
      client.call("proposals.editComment", { params: { ...params, comment: comment.id }, body: { body } }, { ifMatch: String(revision) }),
    {
      changes: ["proposals.comments"],
      onDone,
    },
  );
  return (
    <form
      noValidate
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (body.trim() !== "" && !saving.isPending) saving.mutate();
      }}
    >
      <TextArea
        label={t("write")}
        rows={4}
        dir="auto"
        value={body}
        fault={body.trim() === "" ? t("empty") : undefined}
        onChange={(event) => setBody(event.target.value)}
      />
      {saving.error !== null && <Refusal error={saving.error} />}
      <Actions>
        <Button type="submit" busy={saving.isPending}>
          {t("saveEdit")}
        </Button>
        <Button tone="quiet" onClick={onDone}>
          {t("cancel")}
        </Button>
      </Actions>
    </form>
  );
}

function RemoveDialog({
  comment,
  params,
  onClose,
}: {
  readonly comment: Comment;
  readonly params: OfProposal;
  readonly onClose: () => void;
}) {
  const t = useTalkTexts();
  const isOwn = useSession().identity.endpoint === comment.author;
  const [reason, setReason] = useState("");
  const removing = useAct(
    (client) =>
      client.call("proposals.removeComment", { params: { ...params, comment: comment.id }, body: reason.trim() === "" ? {} : { reason } }),
    { changes: ["proposals."], onDone: onClose },
  );
  return (
    <ConfirmDialog
      title={t("removeTitle")}
      action={t("remove")}
      danger
      busy={removing.isPending}
      error={removing.error}
      ready={isOwn || reason.trim() !== ""}
      onConfirm={() => removing.mutate()}
      onClose={onClose}
    >
      <p>{t(isOwn ? "removeOwn" : "removeOther")}</p>
      <TextArea label={t("reason")} optional={isOwn} rows={3} value={reason} onChange={(event) => setReason(event.target.value)} />
    </ConfirmDialog>
  );
}
