/**
 * Where one writes: text that goes out with Enter, and files.
 *
 * Invariant: what was typed and not sent is kept for its room in this browser until it is; a file is encrypted here before it leaves.
 */
import { limits, type RoomId } from "@althing/contract";
import { Paperclip, Send } from "lucide-react";
import { useId, useRef, useState, type ClipboardEvent, type KeyboardEvent } from "react";
import { Button, classNames } from "../ui/index.ts";
import type { Kept } from "./kept.ts";
import type { RoomStore } from "./room-store.ts";
import { useRoomTexts } from "./texts.ts";
import { UploadList } from "./upload-list.tsx";
import { useUploads } from "./use-uploads.ts";

/** A frame carries this and what the library adds. */
const textMaxBytes = limits.frameMaxBytes - 2 * 1024;

export function Composer({
  store,
  kept,
  name,
  placeId,
}: {
  readonly store: RoomStore;
  readonly kept: Kept;
  readonly name: string;
  readonly placeId: RoomId;
}) {
  const t = useRoomTexts();
  const id = useId();
  const [text, setText] = useState(() => kept.draft(placeId));
  const picker = useRef<HTMLInputElement>(null);
  const { uploads, add, dismiss } = useUploads(store);
  const isTooLong = text.length > textMaxBytes / 4 && new TextEncoder().encode(text).length > textMaxBytes;
  const change = (next: string) => {
    setText(next);
    kept.setDraft(placeId, next);
  };
  const send = () => {
    if (text.trim() === "" || isTooLong) return;
    store.send(text);
    change("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends a composition of an input method is not for sending.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  const onPaste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    add([...event.clipboardData.files]);
  };
  return (
    <form
      className="grid gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <UploadList uploads={uploads} onDismiss={dismiss} />
      <div className="flex items-end gap-2">
        <Button tone="quiet" aria-label={t("composer.attach")} className="!px-3" onClick={() => picker.current?.click()}>
          <Paperclip aria-hidden="true" className="size-5" />
        </Button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label={t("composer.attach")}
          onChange={(event) => {
            add([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
        <label htmlFor={id} className="sr-only">
          {t("composer.label", { room: name })}
        </label>
        <textarea
          id={id}
          dir="auto"
          rows={1}
          value={text}
          placeholder={t("composer.placeholder")}
          aria-describedby={`${id}-hint`}
          aria-invalid={isTooLong || undefined}
          className={classNames(
            "field-sizing-content max-h-48 min-h-11 min-w-0 flex-1 resize-none rounded-lg border bg-card px-3 py-2 text-ink placeholder:text-soft",
            isTooLong ? "border-2 border-bad" : "border-edge",
          )}
          onChange={(event) => change(event.target.value)}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        <Button type="submit" aria-label={t("composer.send")} className="!px-3" disabled={text.trim() === "" || isTooLong}>
          <Send aria-hidden="true" className="size-5 rtl:-scale-x-100" />
        </Button>
      </div>
      <p id={`${id}-hint`} className={isTooLong ? "text-sm font-semibold text-bad" : "text-sm text-soft max-sm:sr-only"}>
        {isTooLong ? t("composer.tooLong") : t("composer.hint")}
      </p>
    </form>
  );
}
