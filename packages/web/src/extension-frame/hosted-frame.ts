/**
 * An extension's page in a sandboxed frame, and the host's end of the one port to it.
 *
 * Invariant: the page has an opaque origin (`allow-same-origin` is never given) and nothing but this port. The port is handed over once, to the document
 * of the frame's first load; a second load closes it, because whoever is in the frame then was not who it was meant for. The host listens to no window
 * messages at all, so nobody else has an address to write to. Messages over the budget are not even read.
 */
import type { AppError } from "@althing/contract";
import { createCallDesk, type CallDesk, type IncomingAnswer, type OutgoingCall } from "./call-desk.ts";
import { mayShow, type ExtensionPages } from "./extension-pages.ts";
import { readCall, readFrameMessage, type FrameMessage, type ToastKind } from "./frame-messages.ts";
import type { ThemeSource } from "./host-theme.ts";
import { createMessageBudget, type MessageBudget } from "./message-budget.ts";

/** `silent`: it did not load, or never answered. `gone`: its document ended, crashed or went elsewhere. `flooding`: it sent too much. */
export type FrameFault = "silent" | "gone" | "flooding";

export interface HostedFrameOptions {
  readonly pages: ExtensionPages;
  /** Where in the extension to begin; plain text. */
  readonly path: string;
  /** The viewer's, in the community. */
  readonly permissions: readonly string[];
  readonly theme: ThemeSource;
  /** Signs as the viewer and sends through the gateway. */
  readonly send: (call: OutgoingCall, signal: AbortSignal) => Promise<IncomingAnswer>;
  readonly onReady: () => void;
  /** The frame asked for it, and it is one of its own paths. */
  readonly onNavigate: (path: string) => void;
  readonly onToast: (text: string, kind: ToastKind) => void;
  readonly onRefusal: (error: AppError) => void;
  /** The frame is closed and out of the document. */
  readonly onFault: (fault: FrameFault) => void;
  readonly timeouts?: Partial<FrameTimeouts>;
}

export interface FrameTimeouts {
  /** For the first load. Default 20,000. */
  readonly loadMs: number;
  /** From the load to the page's `ready`. Default 10,000. */
  readonly readyMs: number;
  /** Between two questions whether it is still there. Default 5,000. */
  readonly beatMs: number;
}

export interface HostedFrame {
  /** To be put into the document by the caller. */
  readonly element: HTMLIFrameElement;
  /** Tells the page where it is now. */
  show(path: string): void;
  /** Takes the frame out and ends its calls. */
  close(): void;
}

const defaultTimeouts: FrameTimeouts = { loadMs: 20_000, readyMs: 10_000, beatMs: 5_000 };
/** A crashed frame looks to its host like one that has nothing to say. A page may be busy for two of these. */
const missedBeatsMax = 3;
const messageRates = { perSecond: 100, burst: 200 };
/** An honest page sends nothing that does not fit, so what does not fit is dear. */
const misfitCost = 10;
const refusedMax = 1_000;
const toastRates = { perSecond: 0.5, burst: 3 };
const navigateRates = { perSecond: 2, burst: 8 };

function createElement({ name, url }: ExtensionPages): HTMLIFrameElement {
  const element = document.createElement("iframe");
  element.setAttribute("sandbox", "allow-scripts allow-forms");
  element.setAttribute("allow", "");
  element.referrerPolicy = "no-referrer";
  element.loading = "eager";
  element.title = name;
  element.className = "extension-frame";
  element.dataset["waiting"] = "";
  element.src = url;
  return element;
}

class Frame implements HostedFrame {
  readonly element: HTMLIFrameElement;
  readonly #options: HostedFrameOptions;
  readonly #calls: CallDesk;
  readonly #messages: MessageBudget;
  readonly #toasts: MessageBudget;
  readonly #moves: MessageBudget;
  readonly #closed = new AbortController();
  readonly #stopTheme: () => void;
  readonly #timeouts: FrameTimeouts;
  #timer: ReturnType<typeof setTimeout>;
  #beat: ReturnType<typeof setInterval> | undefined;
  #missedBeats = 0;
  #port: MessagePort | undefined;
  #offerId: string | undefined = crypto.randomUUID();
  #path: string;
  #sent = 0;

  constructor(options: HostedFrameOptions) {
    const nowMs = () => performance.now();
    const { pages, send, onRefusal } = options;
    this.#options = options;
    this.#timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#path = options.path;
    this.#messages = createMessageBudget({ ...messageRates, nowMs });
    this.#toasts = createMessageBudget({ ...toastRates, nowMs });
    this.#moves = createMessageBudget({ ...navigateRates, nowMs });
    const { id: extension, endpoints } = pages;
    this.#calls = createCallDesk({ extension, endpoints, send, onRefusal, nowMs, closed: this.#closed.signal });
    this.#stopTheme = options.theme.onChange(() => this.#say("theme", options.theme.current()));
    this.#timer = setTimeout(() => this.#fail("silent"), this.#timeouts.loadMs);
    this.element = createElement(pages);
    this.element.addEventListener("load", () => (this.#port === undefined ? this.#offerPort() : this.#fail("gone")));
  }

  #offerPort(): void {
    const page = this.element.contentWindow;
    if (page === null || this.#closed.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail("silent"), this.#timeouts.readyMs);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.addEventListener("message", (event) => this.#take(event));
    port1.start();
    const payload = { theme: this.#options.theme.current(), path: this.#path };
    // An opaque origin cannot be named; the port goes to the window of our own frame.
    page.postMessage({ althing: true, v: 1, id: this.#offerId, type: "ready", payload }, "*", [port2]);
  }

  #say(type: "ready" | "theme" | "navigate", payload: unknown): void {
    if (this.#offerId === undefined) this.#port?.postMessage({ althing: true, v: 1, id: `host-${++this.#sent}`, type, payload });
  }

  /** `event.data` is made when it is asked for, which is why the budget comes first. */
  #take(event: MessageEvent<unknown>): void {
    if (this.#closed.signal.aborted) return;
    this.#missedBeats = 0;
    if (!this.#messages.take()) {
      if (this.#messages.refused > refusedMax) this.#fail("flooding");
      return;
    }
    const message = readFrameMessage(event.data);
    if (message === undefined) this.#messages.take(misfitCost);
    else if (this.#offerId === undefined) this.#obey(message);
    else if (message.type === "ready" && message.id === this.#offerId) this.#becomeReady();
  }

  #becomeReady(): void {
    clearTimeout(this.#timer);
    this.#offerId = undefined;
    delete this.element.dataset["waiting"];
    this.#beat = setInterval(() => this.#askWhetherThere(), this.#timeouts.beatMs);
    this.#options.onReady();
  }

  /** Not while nobody looks: browsers slow hidden pages down. */
  #askWhetherThere(): void {
    if (document.hidden) return;
    if (this.#missedBeats >= missedBeatsMax) this.#fail("gone");
    this.#missedBeats += 1;
    this.#say("ready", {});
  }

  #obey(message: FrameMessage): void {
    const { pages, permissions, onNavigate, onToast } = this.#options;
    switch (message.type) {
      case "resize":
        this.element.style.height = `${message.heightPx}px`;
        break;
      case "navigate":
        if (message.path === this.#path || !mayShow(pages, message.path, permissions) || !this.#moves.take()) return;
        onNavigate(message.path);
        break;
      case "toast":
        if (this.#toasts.take()) onToast(message.text, message.kind);
        break;
      case "call":
        void this.#answer(message.id, message.payload);
        break;
      case "ready":
        break;
    }
  }

  async #answer(id: string, payload: unknown): Promise<void> {
    const answer = await this.#calls.answer(() => readCall(payload));
    if (answer === undefined) return;
    const message = { althing: true, v: 1, id, type: "call", payload: answer };
    this.#port?.postMessage(message, "body" in answer ? [answer.body.buffer] : []);
  }

  show(path: string): void {
    this.#path = path;
    this.#say("navigate", { path });
  }

  close(): void {
    this.#closed.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#beat);
    this.#stopTheme();
    this.#port?.close();
    this.element.remove();
  }

  #fail(fault: FrameFault): void {
    if (this.#closed.signal.aborted) return;
    this.close();
    this.#options.onFault(fault);
  }
}

/**
 * Makes the frame; it loads when its element is put into the document.
 *
 * @example
 * const frame = createHostedFrame({ pages, path: "/", permissions, theme: createHostTheme(), send, onReady, onNavigate, onToast, onRefusal, onFault });
 * place.append(frame.element);
 */
export function createHostedFrame(options: HostedFrameOptions): HostedFrame {
  return new Frame(options);
}
