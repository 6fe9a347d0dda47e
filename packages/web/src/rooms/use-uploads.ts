/**
 * Files on their way into a room.
 *
 * Invariant: a file is read, encrypted and stored before the message that carries its key is sent; one that failed leaves no message. Leaving the page
 * does not stop what is under way.
 */
import { AppError, limits } from "@althing/contract";
import { useState } from "react";
import { useSession, useSessionStore } from "../app/session.tsx";
import type { RoomStore } from "./room-store.ts";

export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  /** 0 to 1; absent: it is still being encrypted. */
  readonly share: number | undefined;
  readonly error: unknown;
  stop(): void;
}

/** What encryption adds is less. */
export const fileMaxBytes = limits.blobMaxBytes - 1024;

export function useUploads(store: RoomStore) {
  const { client } = useSession();
  const session = useSessionStore();
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const put = (id: string, change: Partial<Upload>) =>
    setUploads((before) => before.map((one) => (one.id === id ? { ...one, ...change } : one)));
  const dismiss = (id: string) => setUploads((before) => before.filter((one) => one.id !== id));

  async function upload(id: string, file: File, signal: AbortSignal): Promise<void> {
    try {
      if (file.size > fileMaxBytes) throw new AppError("blob.too_large", { limit: fileMaxBytes });
      const bytes = new Uint8Array(await file.arrayBuffer());
      const onProgress = (done: number, total: number) => put(id, { share: done / Math.max(1, total) });
      const blob = await client.putBlob(bytes, { room: store.id, signal, onProgress });
      store.send(file.name, blob);
      dismiss(id);
    } catch (error) {
      if (signal.aborted) return dismiss(id);
      session.judge(error);
      put(id, { error });
    }
  }

  const add = (files: readonly File[]) => {
    for (const file of files) {
      const id = crypto.randomUUID();
      const stopped = new AbortController();
      const stop = () => stopped.abort();
      setUploads((before) => [...before, { id, name: file.name, bytes: file.size, share: undefined, error: undefined, stop }]);
      void upload(id, file, stopped.signal);
    }
  };
  return { uploads, add, dismiss };
}
