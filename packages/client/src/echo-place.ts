/**
 * Where the server put a message, from the headers of its echo.
 *
 * Invariant: the same answer as the NATS library's headers give. Headers of a message are its writer's, and the server appends its own behind them, so
 * of each name the last value counts. The server's own lines always have one order and end the block: a block that ends in exactly that way is
 * read from its end, any other by the library, which reads every line of all of them and takes ten times as long.
 */
import { echoHeaders } from "@althing/contract";
import type { MsgHdrs } from "@nats-io/nats-core";

/** `seq` is absent in rooms that keep nothing. */
export interface EchoPlace {
  readonly seq: number | undefined;
  readonly previous: number | undefined;
}

/** Of a message as `@nats-io/nats-core` hands it out. */
export interface EchoMessage {
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
}

const encoder = new TextEncoder();
const beforeSequence = encoder.encode(`\r\n${echoHeaders.sequence}: `);
const beforeTime = encoder.encode("\r\nNats-Time-Stamp: ");
const beforePrevious = encoder.encode(`\r\n${echoHeaders.lastSequence}: `);
const end = encoder.encode("\r\n\r\n");
/** A number of as many digits is exact. */
const digitsMax = 15;
const timeMaxBytes = 40;
/** The three lines are shorter. */
const tailMaxBytes = 192;

/** Does `part` end at `at`? */
function endsWith(bytes: Uint8Array, part: Uint8Array, at: number): boolean {
  if (at < part.length) return false;
  for (let index = 1; index <= part.length; index += 1) if (bytes[at - index] !== part[part.length - index]) return false;
  return true;
}

/** Where the digits begin that end at `at`. */
function digitsStart(bytes: Uint8Array, at: number): number {
  let from = at;
  while (from > 0 && at - from <= digitsMax && (bytes[from - 1] ?? 0) >= 0x30 && (bytes[from - 1] ?? 0) <= 0x39) from -= 1;
  return from;
}

function numberIn(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + ((bytes[at] ?? 0) - 0x30);
  return value;
}

const isNumber = (from: number, to: number) => to > from && to - from <= digitsMax;

/** @returns undefined unless the block ends in the server's own lines, as it writes them */
export function placeAtEnd(block: Uint8Array): { readonly seq: number; readonly previous: number } | undefined {
  const previousEnd = block.length - end.length;
  if (!endsWith(block, end, block.length)) return undefined;
  const previousStart = digitsStart(block, previousEnd);
  if (!isNumber(previousStart, previousEnd) || !endsWith(block, beforePrevious, previousStart)) return undefined;
  const timeEnd = previousStart - beforePrevious.length;
  let timeStart = timeEnd;
  while (timeStart > 0 && timeEnd - timeStart < timeMaxBytes && block[timeStart - 1] !== 0x20) timeStart -= 1;
  if (!endsWith(block, beforeTime, timeStart)) return undefined;
  const seqEnd = timeStart - beforeTime.length;
  const seqStart = digitsStart(block, seqEnd);
  if (!isNumber(seqStart, seqEnd) || !endsWith(block, beforeSequence, seqStart)) return undefined;
  return { seq: numberIn(block, seqStart, seqEnd), previous: numberIn(block, previousStart, previousEnd) };
}

/**
 * The library gives the data as a view of the memory it received, where the headers stand right before them. Without headers the protocol's own line
 * stands there, or nothing, and neither ends as the server's headers do.
 */
function beforeData({ data }: EchoMessage): Uint8Array {
  const length = Math.min(data.byteOffset, tailMaxBytes);
  return new Uint8Array(data.buffer, data.byteOffset - length, length);
}

export function echoPlace(message: EchoMessage): EchoPlace {
  const found = placeAtEnd(beforeData(message));
  if (found !== undefined) return found;
  const seq = headerNumber(message, echoHeaders.sequence);
  return { seq, previous: seq === undefined ? undefined : headerNumber(message, echoHeaders.lastSequence) };
}

function headerNumber(message: EchoMessage, name: string): number | undefined {
  const text = message.headers?.values(name).at(-1);
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
