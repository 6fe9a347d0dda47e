/**
 * The frame of an extension's page in React: it is made when the page opens, told where it is, and taken out when the page closes.
 *
 * Invariant: everything outside the frame is the host's. Whatever becomes of the frame, the reader learns whose it was and can load it again; the
 * frame itself is never drawn by React, which would load it anew.
 */
import type { AppError } from "@althing/contract";
import { useEffect, useRef, useState } from "react";
import { useCommunity } from "../app/community.tsx";
import { useSession } from "../app/session.tsx";
import {
  createHostedFrame,
  createHostTheme,
  mayShow,
  type ExtensionPages,
  type FrameFault,
  type HostedFrame,
  type ToastKind,
} from "../extension-frame/index.ts";
import { Button, Refusal } from "../ui/index.ts";
import { FrameNotices, useFrameNotices } from "./frame-notices.tsx";
import { useExtensionTexts } from "./texts.ts";

export interface FrameStageProps {
  readonly pages: ExtensionPages;
  /** Plain text. */
  readonly path: string;
  readonly onNavigate: (path: string) => void;
}

export function FrameStage({ pages, path, onNavigate }: FrameStageProps) {
  const t = useExtensionTexts();
  const { community } = useCommunity();
  const [fault, setFault] = useState<FrameFault>();
  const [refusal, setRefusal] = useState<AppError>();
  const [isReady, setIsReady] = useState(false);
  const { notices, show, dismiss } = useFrameNotices();
  const isShown = mayShow(pages, path, community.permissions);
  useEffect(() => setRefusal(undefined), [path]);
  // Another page of it is another chance for one that was stopped.
  useEffect(() => setFault(undefined), [path]);
  return (
    <>
      <p role="status" className="frame-status text-soft empty:hidden">
        {isShown && fault === undefined && !isReady ? t("loading", { name: pages.name }) : ""}
      </p>
      {refusal !== undefined && <Refusal title={t("refused", { name: pages.name })} error={refusal} />}
      {!isShown && <Stopped name={pages.name} text={t("noPageHere")} />}
      {isShown && fault !== undefined && <Stopped name={pages.name} text={t(`fault.${fault}`)} onAgain={() => setFault(undefined)} />}
      {isShown && fault === undefined && (
        <Frame
          pages={pages}
          path={path}
          onNavigate={onNavigate}
          onReady={setIsReady}
          onRefusal={setRefusal}
          onFault={setFault}
          onToast={show}
        />
      )}
      <FrameNotices name={pages.name} notices={notices} onDismiss={dismiss} />
    </>
  );
}

interface FrameProps extends FrameStageProps {
  readonly onReady: (isReady: boolean) => void;
  readonly onRefusal: (error: AppError) => void;
  readonly onFault: (fault: FrameFault) => void;
  readonly onToast: (text: string, kind: ToastKind) => void;
}

function Frame(props: FrameProps) {
  const { pages, path } = props;
  const { packages } = useSession();
  const { community } = useCommunity();
  const stage = useRef<HTMLDivElement>(null);
  const frame = useRef<HostedFrame>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const permissions = useRef(community.permissions);
  permissions.current = community.permissions;
  const communityId = community.id;

  useEffect(() => {
    const { current: place } = stage;
    if (place === null) return undefined;
    latest.current.onReady(false);
    const made = createHostedFrame({
      pages,
      path: latest.current.path,
      permissions: permissions.current,
      theme: createHostTheme(),
      send: ({ method, path: encoded, headers, body }, signal) =>
        packages.endpoint({
          community: communityId,
          extension: pages.id,
          method,
          path: encoded,
          headers,
          signal,
          ...(body === undefined ? {} : { body }),
        }),
      onReady: () => latest.current.onReady(true),
      onNavigate: (next) => latest.current.onNavigate(next),
      onToast: (text, kind) => latest.current.onToast(text, kind),
      onRefusal: (error) => latest.current.onRefusal(error),
      onFault: (fault) => latest.current.onFault(fault),
    });
    frame.current = made;
    place.append(made.element);
    return () => {
      frame.current = undefined;
      made.close();
    };
  }, [pages, packages, communityId]);

  const shownPath = useRef(path);
  useEffect(() => {
    if (shownPath.current === path) return;
    shownPath.current = path;
    frame.current?.show(path);
  }, [path]);
  return <div ref={stage} />;
}

/** The boundary: whatever became of the frame, the reader learns whose it was. */
function Stopped({ name, text, onAgain }: { readonly name: string; readonly text: string; readonly onAgain?: () => void }) {
  const t = useExtensionTexts();
  return (
    <div role="alert" className="grid justify-items-start gap-3 rounded-card border border-line bg-note-tint p-5">
      <h2 className="text-lg font-bold">
        <bdi>{t("notShown", { name })}</bdi>
      </h2>
      <p>{text}</p>
      {onAgain !== undefined && (
        <Button tone="quiet" onClick={onAgain}>
          {t("again")}
        </Button>
      )}
    </div>
  );
}
