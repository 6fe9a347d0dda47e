// The exports that make a core module a component of the world: memory for the other side, the one function, and what happens on `abort`.
// Layouts: context 80 bytes, then the invocation at 80 (variant of alignment 8, payload at 88); the result is 28 bytes.
import { liftBytes, liftFields, liftText, liftTexts, lowerBytes, lowerFields, lowerText, storeSpan } from "./abi";
import { Actor, Context, Event, findEvent, findFilter, findHttp, findJob, HttpRequest } from "./index";
import { log } from "./host";

export function cabi_realloc(before: usize, beforeLength: usize, alignment: usize, length: usize): usize {
  if (length == 0) return alignment;
  return before == 0 ? heap.alloc(length) : heap.realloc(before, length);
}

function liftContext(at: usize): Context {
  let actor: Actor | null = null;
  if (load<u8>(at + 32) != 0) actor = new Actor(liftText(at + 36), liftText(at + 44), liftTexts(at + 52));
  return new Context(
    liftText(at), liftText(at + 8), liftText(at + 16), liftText(at + 24), actor, liftText(at + 60), load<u32>(at + 68), liftText(at + 72),
  );
}

function failure(line: string): usize {
  const area = heap.alloc(28);
  memory.fill(area, 0, 28);
  store<u8>(area, 1);
  storeSpan(area + 4, lowerText(line));
  return area;
}

function outcome(discriminant: u8, line: string): usize {
  const area = heap.alloc(28);
  memory.fill(area, 0, 28);
  store<u8>(area + 4, discriminant);
  storeSpan(area + 8, lowerText(line));
  return area;
}

function missing(what: string): usize {
  return failure("Error: the manifest declares " + what + ", but the extension has no handler for it");
}

function answerHttp(at: usize, context: Context): usize {
  const request = new HttpRequest(liftText(at), liftText(at + 8), liftText(at + 16), liftFields(at + 24), liftFields(at + 32), liftBytes(at + 40));
  const handler = findHttp(request.method, request.path);
  if (handler === null) return missing(request.method + " " + request.path);
  const response = handler(request, context);
  if (response.failure != "") return failure(response.failure);
  const area = heap.alloc(28);
  memory.fill(area, 0, 28);
  store<u16>(area + 8, <u16>response.status);
  storeSpan(area + 12, lowerFields(response.headers));
  storeSpan(area + 20, lowerBytes(response.body));
  return area;
}

function answerEvent(at: usize, context: Context): usize {
  const event = new Event(
    liftText(at), load<u64>(at + 8), liftText(at + 16), liftText(at + 24), liftText(at + 32), liftText(at + 40), liftText(at + 48), load<u32>(at + 56),
  );
  const handler = findEvent(event.topic);
  return handler === null ? missing("the event " + event.topic) : outcome(1, handler(event, context));
}

function answerFilter(at: usize, context: Context): usize {
  const point = liftText(at);
  const handler = findFilter(point);
  if (handler === null) return missing("the filter " + point);
  const answer = handler(liftText(at + 8), context);
  return outcome(answer.isAccepted ? 2 : 3, answer.text);
}

function answerJob(at: usize, context: Context): usize {
  const name = liftText(at);
  const handler = findJob(name);
  return handler === null ? missing("the job " + name) : outcome(1, handler(liftText(at + 8), context));
}

export function handle(at: usize): usize {
  const context = liftContext(at);
  const call = at + 88;
  switch (load<u8>(at + 80)) {
    case 0: return answerHttp(call, context);
    case 1: return answerEvent(call, context);
    case 2: return answerFilter(call, context);
    default: return answerJob(call, context);
  }
}

/** In place of the compiler's own `abort`, which would be an import of another world. */
export function abortGuest(message: string | null, file: string | null, line: u32, column: u32): void {
  log.error("abort: " + (message === null ? "" : message) + " at " + (file === null ? "" : file) + ":" + line.toString() + ":" + column.toString());
  unreachable();
}
