/**
 * A name server on loopback whose answers a test decides query by query, so that it can change its mind between two.
 *
 * Invariant: real messages over UDP, and over TCP on the same port when an answer does not fit (RFC 1035, RFC 7766): what the product's
 * resolver does with truncation, aliases and silence is what is tested. Only what the tests need: one question, A, AAAA and CNAME, TTL 0.
 */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv4, type AddressInfo, type Socket } from "node:net";

export interface DnsQuestion {
  readonly name: string;
  readonly type: "A" | "AAAA";
  /** How often this name and type was asked before. */
  readonly repeat: number;
}

export interface DnsReply {
  readonly addresses?: readonly string[];
  /** The addresses belong to this name, which the one asked for is an alias of. */
  readonly cname?: string;
  /** 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED. */
  readonly rcode?: number;
}

/** `undefined`: no answer at all. */
export type DnsScript = (question: DnsQuestion) => DnsReply | undefined;

export interface TestDnsServer {
  /** `127.0.0.1:port`, as `setServers` takes it. */
  readonly address: string;
  readonly questions: readonly DnsQuestion[];
  answerWith(script: DnsScript): void;
  close(): Promise<void>;
}

const udpMaxBytes = 512;
const types: Readonly<Record<number, DnsQuestion["type"]>> = { 1: "A", 28: "AAAA" };

function encodeName(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function encodeAddress(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split(".").map(Number));
  const [head = "", tail] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const left = groups(head);
  const right = groups(tail ?? "");
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => "0"), ...right];
  return Buffer.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
}

function encodeRecord(name: Buffer, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, head, data]);
}

interface Query {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly question: Buffer;
}

function parseQuery(message: Buffer): Query {
  const labels: string[] = [];
  let at = 12;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 5;
  return {
    id: message.readUInt16BE(0),
    name: labels.join(".").toLowerCase(),
    type: message.readUInt16BE(at + 1),
    question: message.subarray(12, end),
  };
}

function encodeReply(query: Query, reply: DnsReply, isTruncated: boolean): Buffer {
  const asked = Buffer.from([0xc0, 12]);
  const owner = reply.cname === undefined ? asked : encodeName(reply.cname);
  const alias = reply.cname === undefined ? [] : [encodeRecord(asked, 5, encodeName(reply.cname))];
  const addresses = (reply.addresses ?? []).filter((address) => isIPv4(address) === (query.type === 1));
  const records = isTruncated ? [] : [...alias, ...addresses.map((address) => encodeRecord(owner, query.type, encodeAddress(address)))];
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.id, 0);
  head.writeUInt16BE(0x8180 | (isTruncated ? 0x0200 : 0) | (reply.rcode ?? 0), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, query.question, ...records]);
}

export async function startDnsServer(first: DnsScript = () => ({ rcode: 3 })): Promise<TestDnsServer> {
  let script = first;
  const questions: DnsQuestion[] = [];
  const sockets = new Set<Socket>();

  function answer(message: Buffer, maxBytes: number): Buffer | undefined {
    const query = parseQuery(message);
    const type = types[query.type];
    if (type === undefined) return encodeReply(query, {}, false);
    const repeat = questions.filter((known) => known.name === query.name && known.type === type).length;
    const question = { name: query.name, type, repeat };
    questions.push(question);
    const reply = script(question);
    if (reply === undefined) return undefined;
    const whole = encodeReply(query, reply, false);
    return whole.length > maxBytes ? encodeReply(query, reply, true) : whole;
  }

  const tcp = createServer((socket) => {
    let seen = Buffer.alloc(0);
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      while (seen.length >= 2 && seen.length >= 2 + seen.readUInt16BE(0)) {
        const reply = answer(seen.subarray(2, 2 + seen.readUInt16BE(0)), 0xffff);
        seen = seen.subarray(2 + seen.readUInt16BE(0));
        if (reply) socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 0xff]), reply]));
      }
    });
  });
  tcp.listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket("udp4");
  udp.on("message", (message: Buffer, from: RemoteInfo) => {
    const reply = answer(message, udpMaxBytes);
    if (reply) udp.send(reply, from.port, from.address);
  });
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");

  return {
    address: `127.0.0.1:${port}`,
    questions,
    answerWith(next) {
      questions.length = 0;
      script = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      udp.close();
      tcp.close();
      await once(tcp, "close");
    },
  };
}
