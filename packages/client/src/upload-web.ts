/**
 * A request of a browser whose body is watched while it goes out; `fetch` says nothing of that, so it is an XMLHttpRequest.
 *
 * Invariant: as with `fetch` here, no cookies and no answer longer than it may be. A redirect cannot be refused before it was followed, so the answer from
 * another address than the one asked for counts as that redirect.
 */
import { HttpFailure, HttpOversize, type HttpAnswer, type HttpRequest } from "./platform-types.ts";

export function upload(input: HttpRequest, onSent: (bytes: number) => void): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(input.method, input.url);
    request.responseType = "arraybuffer";
    for (const [name, value] of Object.entries(input.headers)) request.setRequestHeader(name, value);
    const abort = () => request.abort();
    const fail = () => reject(new HttpFailure("the connection broke", true, undefined));
    let tooMuch = false;
    request.upload.addEventListener("progress", ({ loaded }) => onSent(loaded));
    request.addEventListener("progress", ({ loaded }) => {
      tooMuch ||= loaded > input.maxBytes;
      if (tooMuch) abort();
    });
    request.addEventListener("error", fail);
    request.addEventListener("abort", () => {
      if (tooMuch) reject(new HttpOversize(input.maxBytes));
      else if (input.signal?.aborted === true) reject(new DOMException("the upload was stopped", "AbortError"));
      else fail();
    });
    request.addEventListener("loadend", () => input.signal?.removeEventListener("abort", abort));
    request.addEventListener("load", () => resolve(answerOf(request, input.url)));
    input.signal?.addEventListener("abort", abort, { once: true });
    request.send(input.body ?? null);
  });
}

function answerOf(request: XMLHttpRequest, url: string): HttpAnswer {
  const retryAfter = Number(request.getResponseHeader("retry-after") ?? Number.NaN);
  const body: unknown = request.response;
  return {
    status: request.responseURL === url ? request.status : 302,
    contentType: request.getResponseHeader("content-type") ?? "",
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    body: body instanceof ArrayBuffer ? new Uint8Array(body) : new Uint8Array(),
  };
}
