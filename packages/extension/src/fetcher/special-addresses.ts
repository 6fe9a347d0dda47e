/**
 * The table of address blocks that are not the public internet, and why each is refused.
 *
 * Invariant: a block is named here even where a library's `range()` knows it, so that an upgrade of the library cannot open one. Blocks that
 * IANA calls globally reachable but that end in infrastructure of someone's own network (AS112, AMT, ORCHIDv2, 192.0.0.9) are refused too:
 * no web server lives there, and an anycast relay would lead inside. IPv6 works the other way round: only 2000::/3 is allocated as global
 * unicast, so everything else is refused unnamed.
 * Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, 8190), RFC 4291, 6052, 6145, 8215, 9602, 9637.
 */

/** Why an address is not public; `reserved` covers what has no better name. */
export type AddressClass =
  | "public"
  | "invalid"
  | "unspecified"
  | "loopback"
  | "private"
  | "link_local"
  | "unique_local"
  | "cgnat"
  | "multicast"
  | "broadcast"
  | "documentation"
  | "benchmarking"
  | "nat64"
  | "6to4"
  | "teredo"
  | "ipv4_mapped"
  | "ipv4_compatible"
  | "ipv4_translated"
  | "site_local"
  | "discard"
  | "orchid"
  | "anycast_service"
  | "cloud_platform"
  | "reserved";

export type AddressBlock = readonly [cidr: string, addressClass: Exclude<AddressClass, "public" | "invalid">];

/** The first block that holds an address names its class, so the narrower stand before the wider. */
export const specialIpv4Blocks: readonly AddressBlock[] = [
  ["0.0.0.0/8", "unspecified"], // "this network", RFC 791; 0.0.0.0 connects to loopback on Linux
  ["10.0.0.0/8", "private"], // RFC 1918
  ["100.64.0.0/10", "cgnat"], // RFC 6598; also where Tailscale and some clouds' metadata live
  ["127.0.0.0/8", "loopback"], // RFC 1122
  ["168.63.129.16/32", "cloud_platform"], // public by number, yet Azure answers it on the host with the machine's own configuration
  ["169.254.0.0/16", "link_local"], // RFC 3927; cloud metadata
  ["172.16.0.0/12", "private"], // RFC 1918
  ["192.0.0.0/24", "reserved"], // RFC 6890, DS-Lite, NAT64 discovery, with its anycast exceptions .9 and .10
  ["192.0.2.0/24", "documentation"], // RFC 5737
  ["192.31.196.0/24", "anycast_service"], // AS112, RFC 7535
  ["192.52.193.0/24", "anycast_service"], // AMT, RFC 7450
  ["192.88.99.0/24", "6to4"], // deprecated relay anycast, RFC 7526
  ["192.168.0.0/16", "private"], // RFC 1918
  ["192.175.48.0/24", "anycast_service"], // AS112, RFC 7534
  ["198.18.0.0/15", "benchmarking"], // RFC 2544
  ["198.51.100.0/24", "documentation"], // RFC 5737
  ["203.0.113.0/24", "documentation"], // RFC 5737
  ["224.0.0.0/4", "multicast"], // RFC 5771, with 233.252.0.0/24 for documentation
  ["255.255.255.255/32", "broadcast"], // RFC 8190
  ["240.0.0.0/4", "reserved"], // RFC 1112
];

export const specialIpv6Blocks: readonly AddressBlock[] = [
  ["::/128", "unspecified"], // RFC 4291
  ["::1/128", "loopback"], // RFC 4291
  ["::/96", "ipv4_compatible"], // deprecated, RFC 4291
  ["::ffff:0:0/96", "ipv4_mapped"], // RFC 4291
  ["::ffff:0:0:0/96", "ipv4_translated"], // SIIT, RFC 2765 and 6145
  ["64:ff9b::/96", "nat64"], // RFC 6052: carries any IPv4 address, also a private one
  ["64:ff9b:1::/48", "nat64"], // local use, RFC 8215
  ["100::/64", "discard"], // RFC 6666
  ["100:0:0:1::/64", "reserved"], // dummy prefix, RFC 9780
  ["2001::/32", "teredo"], // RFC 4380
  ["2001:2::/48", "benchmarking"], // RFC 5180
  ["2001:3::/32", "anycast_service"], // AMT, RFC 7450
  ["2001:4:112::/48", "anycast_service"], // AS112, RFC 7535
  ["2001:10::/28", "orchid"], // RFC 4843, deprecated
  ["2001:20::/28", "orchid"], // ORCHIDv2, RFC 7343: identifiers, not locators
  ["2001:30::/28", "reserved"], // drone identifiers, RFC 9374
  ["2001::/23", "reserved"], // IETF protocol assignments, RFC 2928
  ["2001:db8::/32", "documentation"], // RFC 3849
  ["2002::/16", "6to4"], // RFC 3056: carries any IPv4 address
  ["2620:4f:8000::/48", "anycast_service"], // AS112, RFC 7534
  ["3fff::/20", "documentation"], // RFC 9637
  ["5f00::/16", "reserved"], // segment routing, RFC 9602
  ["fc00::/7", "unique_local"], // RFC 4193
  ["fe80::/10", "link_local"], // RFC 4291
  ["fec0::/10", "site_local"], // deprecated, RFC 3879
  ["ff00::/8", "multicast"], // RFC 4291
];

/** All that IANA has allocated as global unicast (RFC 4291 §2.4, IPv6 address space registry). */
export const globalIpv6Block = "2000::/3";
