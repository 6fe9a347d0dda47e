/**
 * Uploads a package file with its signature.
 *
 * Invariant: the files are read once, when they are sent, and sent once however often the button is pressed; a file that cannot be taken is said before
 * anything is sent.
 */
import { limits, type Install } from "@althing/contract";
import { useId, useState } from "react";
import { useAct } from "../app/calls.ts";
import { useSession } from "../app/session.tsx";
import { byteSize } from "../app/times.ts";
import { Actions, Button, Refusal } from "../ui/index.ts";
import { InstallSteps, type InstallStep } from "./install-steps.tsx";
import { usePluginTexts } from "./texts.ts";

const steps: readonly InstallStep[] = ["read", "send", "verify", "compile", "record"];

interface Files {
  readonly bundle: File;
  readonly signature: File | undefined;
}

async function bytesOf(file: File): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await file.arrayBuffer());
}

export function UploadForm({ community, onDone }: { readonly community: string; readonly onDone: (install: Install) => void }) {
  const t = usePluginTexts();
  const { packages } = useSession();
  const [bundle, setBundle] = useState<File>();
  const [signature, setSignature] = useState<File>();
  const [isMissing, setIsMissing] = useState(false);
  const [isSending, setIsSending] = useState(false);
  const upload = useAct(
    async (_client, files: Files) => {
      setIsSending(false);
      const read = {
        bundle: await bytesOf(files.bundle),
        ...(files.signature === undefined ? {} : { signature: await bytesOf(files.signature) }),
      };
      setIsSending(true);
      return packages.upload(community, read);
    },
    { changes: ["packages."], onDone },
  );
  const tooLarge = (file: File | undefined, max: number) =>
    file !== undefined && file.size > max ? t("install.tooLarge", { size: byteSize(file.size), max: byteSize(max) }) : undefined;
  const bundleFault =
    tooLarge(bundle, limits.bundleMaxBytes) ?? (isMissing && bundle === undefined ? t("install.chooseBundle") : undefined);
  const signatureFault = tooLarge(signature, limits.signatureFileMaxBytes);
  const size = byteSize((bundle?.size ?? 0) + (signature?.size ?? 0));
  return (
    <form
      noValidate
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        setIsMissing(bundle === undefined);
        if (bundle !== undefined && bundleFault === undefined && signatureFault === undefined) upload.mutate({ bundle, signature });
      }}
    >
      <FileField
        label={t("install.bundle")}
        hint={t("install.bundleHint", { max: byteSize(limits.bundleMaxBytes) })}
        accept=".althing"
        fault={bundleFault}
        disabled={upload.isPending}
        onChoose={setBundle}
      />
      <FileField
        label={t("install.signature")}
        hint={t("install.signatureHint")}
        accept=".json"
        fault={signatureFault}
        disabled={upload.isPending}
        onChoose={setSignature}
      />
      {upload.isPending && (
        <InstallSteps
          label={isSending ? t("install.sending", { size }) : t("install.reading")}
          steps={steps}
          now={isSending ? ["send", "verify", "compile", "record"] : ["read"]}
        />
      )}
      {upload.isError && <Refusal title={t("install.failed")} error={upload.error} />}
      <Actions>
        <Button type="submit" busy={upload.isPending}>
          {t("install.send")}
        </Button>
      </Actions>
    </form>
  );
}

interface FileFieldProps {
  readonly label: string;
  readonly hint: string;
  readonly accept: string;
  readonly fault: string | undefined;
  readonly disabled: boolean;
  readonly onChoose: (file: File | undefined) => void;
}

function FileField({ label, hint, accept, fault, disabled, onChoose }: FileFieldProps) {
  const id = useId();
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="font-semibold">
        {label}
      </label>
      <p id={`${id}-hint`} className="text-sm text-soft">
        {hint}
      </p>
      <input
        id={id}
        type="file"
        accept={accept}
        disabled={disabled}
        aria-invalid={fault !== undefined || undefined}
        aria-describedby={fault === undefined ? `${id}-hint` : `${id}-hint ${id}-fault`}
        onChange={(event) => onChoose(event.target.files?.[0])}
        className="min-h-11 w-full min-w-0 rounded-lg border border-edge bg-card p-2 file:me-3 file:min-h-9 file:rounded-md file:border file:border-edge file:bg-raised file:px-3 file:font-semibold file:text-ink"
      />
      {fault !== undefined && (
        <p id={`${id}-fault`} className="text-sm font-semibold text-bad">
          {fault}
        </p>
      )}
    </div>
  );
}
