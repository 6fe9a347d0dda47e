/**
 * From the component's one export to the author's handler and back.
 *
 * Invariant: every way out is a value of the WIT's types or an error with one line; that of an unhandled HostError begins with its code, which is how
 * the platform tells a denied capability from a crash. The stack goes to the log, never to the caller.
 */
import type { Extension, FilterAnswer } from "./define-extension.ts";
import { readContext, type ExtensionContext } from "./extension-context.ts";
import { HostError } from "./host-error.ts";
import type { WitContext, WitEvent, WitHttpRequest, WitInvocation, WitOutcome } from "./bindings.ts";
import { HttpProblem, HttpRequest, HttpResponse } from "./http-messages.ts";
import { host } from "./host-port.ts";
import { findRoute, findTopic } from "./routes.ts";

/** Bytes of stack that go to the log. */
const maxStack = 2_000;

function missing(what: string): Error {
  return new Error(`the manifest declares ${what}, but the extension has no handler for it`);
}

function answerHttp(extension: Extension, request: WitHttpRequest, context: ExtensionContext<unknown>): WitOutcome {
  const match = findRoute(extension.http, request.method, request.path);
  if (match === undefined) throw missing(`${request.method} ${request.path}`);
  let answer: unknown;
  try {
    answer = match.handler(new HttpRequest(request, match.params), context);
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    answer = error.toResponse();
  }
  if (!(answer instanceof HttpResponse)) throw new TypeError(`${match.route} must return a response: json(…), text(…)${asyncHint(answer)}`);
  return { tag: "response", val: { status: answer.status, headers: [...answer.headers], body: answer.body } };
}

function asyncHint(answer: unknown): string {
  return answer instanceof Promise ? "; handlers are not async: host calls return their results directly" : "";
}

function note(what: string, answer: unknown): WitOutcome {
  if (answer !== undefined && typeof answer !== "string")
    throw new TypeError(`${what} must return a string or nothing${asyncHint(answer)}`);
  return { tag: "done", val: answer ?? "" };
}

function answerEvent(extension: Extension, event: WitEvent, context: ExtensionContext<unknown>): WitOutcome {
  const handler = findTopic(extension.events, event.topic);
  if (handler === undefined) throw missing(`the event ${event.topic}`);
  const data: unknown = JSON.parse(event.data);
  return note(`the handler of ${event.topic}`, handler({ ...event, data }, context));
}

function isAnswer(answer: unknown): answer is FilterAnswer {
  return typeof answer === "object" && answer !== null && ("accept" in answer || "refuse" in answer);
}

function answerFilter(extension: Extension, point: string, payload: string, context: ExtensionContext<unknown>): WitOutcome {
  const handler = Object.hasOwn(extension.filters, point) ? extension.filters[point] : undefined;
  if (handler === undefined) throw missing(`the filter ${point}`);
  const given: unknown = JSON.parse(payload);
  const answer: unknown = handler(given, context);
  if (!isAnswer(answer)) throw new TypeError(`the filter ${point} must return accept(…) or refuse(…)${asyncHint(answer)}`);
  if ("refuse" in answer) return { tag: "refuse", val: String(answer.refuse) };
  const accepted = JSON.stringify(answer.accept);
  if (typeof accepted !== "string") throw new TypeError(`the filter ${point} must accept a payload that JSON can say`);
  return { tag: "accept", val: accepted };
}

function answer(extension: Extension, context: ExtensionContext<unknown>, call: WitInvocation): WitOutcome {
  switch (call.tag) {
    case "http":
      return answerHttp(extension, call.val, context);
    case "event":
      return answerEvent(extension, call.val, context);
    case "filter":
      return answerFilter(extension, call.val.point, call.val.payload, context);
    case "job": {
      const { name, slot } = call.val;
      const handler = Object.hasOwn(extension.jobs, name) ? extension.jobs[name] : undefined;
      if (handler === undefined) throw missing(`the job ${name}`);
      return note(`the job ${name}`, handler({ name, slot: new Date(slot) }, context));
    }
  }
}

/** The line that the platform gets for an error that no handler caught. */
export function errorLine(error: unknown): string {
  if (error instanceof HostError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function logStack(error: unknown): void {
  if (error instanceof Error && typeof error.stack === "string")
    host().log.write("error", `${errorLine(error)}\n${error.stack}`.slice(0, maxStack));
}

/**
 * Runs one invocation.
 *
 * @throws {Error} whose message is the WIT's error case: `code: message`
 */
export function invoke(extension: Extension, witContext: WitContext, call: WitInvocation): WitOutcome {
  try {
    return answer(extension, readContext(witContext, extension.settings), call);
  } catch (error) {
    logStack(error);
    // The component's engine makes the WIT's error case of the message.
    throw new Error(errorLine(error), { cause: error });
  }
}
