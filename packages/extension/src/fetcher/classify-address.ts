/**
 * Decides what kind of place an IP address is.
 *
 * Invariant: `public` needs agreement of two judges, our table and the library's `range()`; whatever cannot be parsed strictly (zones,
 * short or octal forms, prefixes) is `invalid`, never guessed at. An IPv4 address wrapped into IPv6 is refused for the wrapping, also
 * when the inner address is public: nothing public is only reachable that way.
 */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { globalIpv6Block, specialIpv4Blocks, specialIpv6Blocks, type AddressBlock, type AddressClass } from "./special-addresses.ts";

export type ParsedAddress = ipaddr.IPv4 | ipaddr.IPv6;
export type AddressRange = readonly [network: ParsedAddress, prefixLength: number];

const compile = (blocks: readonly AddressBlock[]) =>
  blocks.map(([cidr, addressClass]) => ({ range: ipaddr.parseCIDR(cidr), addressClass }));
const ipv4Blocks = compile(specialIpv4Blocks);
const ipv6Blocks = compile(specialIpv6Blocks);
const globalIpv6 = ipaddr.parseCIDR(globalIpv6Block);

/** `undefined` unless the text is an address in the form that `inet_pton` takes, without a zone. */
export function parseAddress(text: string): ParsedAddress | undefined {
  return isIP(text) === 0 || text.includes("%") ? undefined : ipaddr.parse(text);
}

/**
 * `address/prefix`, or an address alone as a range of one.
 *
 * @returns `undefined` when it is neither, or has bits set beyond the prefix (a typing error that would widen the range)
 */
export function parseRange(text: string): AddressRange | undefined {
  const [address = "", prefix, ...rest] = text.split("/");
  const parsed = parseAddress(address);
  if (!parsed || rest.length > 0) return undefined;
  const bits = parsed.kind() === "ipv4" ? 32 : 128;
  if (prefix === undefined) return [parsed, bits];
  const length = /^(?:0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!(length <= bits)) return undefined;
  const beyond = parsed.toByteArray().some((byte, index) => {
    const keep = Math.min(8, Math.max(0, length - index * 8));
    return (byte & (0xff >> keep)) !== 0;
  });
  return beyond ? undefined : [parsed, length];
}

export function isInRange(address: ParsedAddress, [network, prefixLength]: AddressRange): boolean {
  return address.kind() === network.kind() && address.match(network, prefixLength);
}

/** The class of an address in text form; `public` is the only one that may be connected to without an exception. */
export function classifyAddress(text: string): AddressClass {
  const address = parseAddress(text);
  if (!address) return "invalid";
  const blocks = address.kind() === "ipv4" ? ipv4Blocks : ipv6Blocks;
  const special = blocks.find(({ range }) => isInRange(address, range));
  if (special) return special.addressClass;
  if (address.kind() === "ipv6" && !isInRange(address, globalIpv6)) return "reserved";
  return address.range() === "unicast" ? "public" : "reserved";
}
