/**
 * Writing and changing an announcement.
 *
 * Invariant: what was typed stays whatever the server says. A change names the revision it follows; when somebody else was quicker, theirs is shown, and saving
 * again is a choice made with both in sight.
 */
import { hasCode, limits, type Announcement } from "@althing/contract";
import { useState, type FormEvent, type ReactNode } from "react";
import { faultsByField, useAct } from "../app/calls.ts";
import { useCommunity } from "../app/community.tsx";
import { wholeNumber } from "../app/times.ts";
import { Actions, Button, Card, Refusal, TextArea, useToast } from "../ui/index.ts";
import { useOverviewTexts } from "./texts.ts";

interface FormProps {
  readonly initial: string;
  readonly action: string;
  readonly busy: boolean;
  readonly error: unknown;
  /** Shown above the field. */
  readonly note?: ReactNode;
  readonly onText: (text: string) => void;
  readonly onClose: () => void;
}

function AnnouncementForm({ initial, action, busy, error, note, onText, onClose }: FormProps) {
  // Said by the note, in the words of this place.
  const isNoted = note !== undefined && hasCode(error, "request.precondition_failed");
  const t = useOverviewTexts();
  const [text, setText] = useState(initial);
  const [isJudged, setIsJudged] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsJudged(true);
    if (text.trim() !== "" && !busy) onText(text);
  };
  return (
    <Card>
      <form noValidate className="grid gap-4" onSubmit={submit}>
        {note}
        <TextArea
          label={t("announcements.text")}
          hint={t("announcements.textHint", { max: wholeNumber(limits.commentMaxChars) })}
          fault={isJudged && text.trim() === "" ? t("announcements.textMissing") : faultsByField(error).get("text")}
          rows={6}
          maxLength={limits.commentMaxChars}
          autoFocus
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
        {error !== null && !isNoted && <Refusal error={error} />}
        <Actions>
          <Button type="submit" busy={busy}>
            {action}
          </Button>
          <Button tone="quiet" onClick={onClose}>
            {t("announcements.cancel")}
          </Button>
        </Actions>
      </form>
    </Card>
  );
}

export function PostAnnouncement({ onClose }: { readonly onClose: () => void }) {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const show = useToast();
  const post = useAct((client, text: string) => client.call("announcements.post", { params: { community: ref }, body: { text } }), {
    changes: ["announcements."],
    onDone: () => {
      show({ text: t("announcements.posted") });
      onClose();
    },
  });
  return (
    <AnnouncementForm
      initial=""
      action={t("announcements.submit")}
      busy={post.isPending}
      error={post.error}
      onText={(text) => post.mutate(text)}
      onClose={onClose}
    />
  );
}

export function ChangeAnnouncement({ announcement, onClose }: { readonly announcement: Announcement; readonly onClose: () => void }) {
  const t = useOverviewTexts();
  const { ref } = useCommunity();
  const show = useToast();
  const [first] = useState(announcement.revision);
  const change = useAct(
    // Of what is on the screen: the text it began with, or, when somebody was quicker, theirs above the field.
    (client, text: string) =>
      client.call(
        "announcements.change",
        { params: { community: ref, announcement: announcement.id }, body: { text } },
        { ifMatch: String(announcement.revision) },
      ),
    {
      changes: ["announcements."],
      onDone: () => {
        show({ text: t("announcements.saved") });
        onClose();
      },
    },
  );
  return (
    <AnnouncementForm
      initial={announcement.text}
      action={t("announcements.save")}
      busy={change.isPending}
      error={change.error}
      note={announcement.revision !== first && !change.isSuccess ? <Meanwhile text={announcement.text} /> : undefined}
      onText={(text) => change.mutate(text)}
      onClose={onClose}
    />
  );
}

function Meanwhile({ text }: { readonly text: string }) {
  const t = useOverviewTexts();
  return (
    <div role="alert" className="grid gap-2 rounded-lg bg-note-tint p-4">
      <p className="font-semibold">{t("announcements.stale")}</p>
      <p className="rounded-lg bg-card p-3 whitespace-pre-wrap">
        <bdi>{text}</bdi>
      </p>
      <p>{t("announcements.staleNext")}</p>
    </div>
  );
}
