/**
 * What a message says: text as it was typed, a file that can be fetched, or why there is nothing left.
 *
 * Invariant: everything is shown as text; nothing a member writes becomes a picture or markup, only addresses become links, and its writing direction stays inside.
 */
import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import { byteSize } from "../app/times.ts";
import { useSession, useSessionStore } from "../app/session.tsx";
import { Button, LinkedText, Progress, Refusal, saveFile } from "../ui/index.ts";
import { safeFileName } from "./file-name.ts";
import { useRoomTexts } from "./texts.ts";
import type { Entry } from "./timeline.ts";

export function MessageBody({
  entry,
  tabIndex,
  nameOf,
}: {
  readonly entry: Entry;
  readonly tabIndex: number;
  readonly nameOf: (endpoint: string) => string | undefined;
}) {
  const t = useRoomTexts();
  const { redacted, blob, text } = entry;
  if (redacted !== undefined) {
    const who = redacted.handle ?? nameOf(redacted.by) ?? t("message.stranger");
    return (
      <p dir="auto" className="text-soft italic">
        {redacted.reason === "" ? t("message.redactedPlain", { who }) : t("message.redactedBy", { who, reason: redacted.reason })}
      </p>
    );
  }
  if (blob !== undefined) return <Attachment blob={blob} name={safeFileName(text, t("message.file"))} tabIndex={tabIndex} />;
  if (text === undefined) return <p className="text-soft">{t("message.data", { size: byteSize(entry.bytes), type: entry.contentType })}</p>;
  return <MessageText text={text} tabIndex={tabIndex} />;
}

export function MessageText({ text, tabIndex }: { readonly text: string; readonly tabIndex?: number | undefined }) {
  return (
    <p dir="auto" className="wrap-anywhere whitespace-pre-wrap">
      <LinkedText text={text} tabIndex={tabIndex} />
    </p>
  );
}

function Attachment({
  blob,
  name,
  tabIndex,
}: {
  readonly blob: NonNullable<Entry["blob"]>;
  readonly name: string;
  readonly tabIndex: number;
}) {
  const t = useRoomTexts();
  const { client } = useSession();
  const session = useSessionStore();
  const [share, setShare] = useState(0);
  const download = useMutation({
    mutationFn: () => client.getBlob(blob.hash, blob.key, { onProgress: (done) => setShare(done / blob.bytes) }),
    onMutate: () => setShare(0),
    onSuccess: (bytes) => saveFile(name, bytes, "application/octet-stream"),
    onError: (error) => session.judge(error),
  });
  return (
    <div className="grid max-w-md gap-2">
      <div className="flex items-center gap-3 rounded-lg border border-line bg-raised py-1 ps-3 pe-1">
        <div className="min-w-0 flex-1">
          <bdi className="block truncate font-semibold">{name}</bdi>
          <span className="text-sm text-soft">{byteSize(blob.bytes)}</span>
        </div>
        <Button
          tone="plain"
          tabIndex={tabIndex}
          busy={download.isPending}
          aria-label={`${t("message.download")}: ${name}`}
          onClick={() => download.mutate()}
        >
          <Download aria-hidden="true" className="size-5" />
        </Button>
      </div>
      {download.isPending && <Progress label={t("message.downloading", { name })} value={share} />}
      {download.isError && <Refusal error={download.error} />}
      <span role="status" className="sr-only">
        {download.isSuccess ? t("message.downloaded") : ""}
      </span>
    </div>
  );
}
