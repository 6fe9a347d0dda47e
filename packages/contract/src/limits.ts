/**
 * Numbers that bound what one request, room, user or node may take. Units are in the names.
 *
 * Invariant: every limit here is enforced in code that imports it, and exceeded in a test.
 */
export const limits = {
  /** RFC 9421 profile: longest life of a signed request (expires − created), and how far clocks may differ. */
  signatureWindowSeconds: 60,
  signatureSkewSeconds: 5,
  /** Bodies of JSON routes; membership changes carry one sealed key a member and get more. */
  jsonBodyMaxBytes: 64 * 1024,
  membershipBodyMaxBytes: 2 * 1024 * 1024,
  blobMaxBytes: 16 * 1024 * 1024,
  blobsPerUserMaxBytes: 1024 * 1024 * 1024,
  roomMaxBytes: 1024 * 1024 * 1024,
  frameMaxBytes: 64 * 1024,
  roomMembersMax: 2_000,
  /** Messages that a persisted room keeps, whatever their size. */
  roomMessagesMax: 1_000_000,
  /** Requests to join one room that wait for an answer. */
  joinRequestsMax: 200,
  roomsPerUserMax: 500,
  roomsPageMax: 200,
  historyPageMax: 1_000,
  /** One history answer stays below this, whatever the number of frames. */
  historyPageMaxBytes: 4 * 1024 * 1024,
  usersPageMax: 500,
  sessionsPerUserMax: 16,
  sessionTtlSeconds: 12 * 60 * 60,
  invitationTtlSeconds: 7 * 24 * 60 * 60,
  adminLinkTtlSeconds: 60 * 60,
  /** A timer forces a new epoch: the first of the two that comes. */
  epochMaxAgeSeconds: 7 * 24 * 60 * 60,
  epochMaxMessages: 10_000,
  idempotencyTtlSeconds: 24 * 60 * 60,
  requestsPerSecondPerIp: 2_000,
  unauthenticatedRequestsPerMinutePerIp: 60,
  headersMaxBytes: 16 * 1024,
  /** Supervisor and hub: heartbeat, and the silence after which the fence closes. */
  hubBeatMs: 250,
  hubSilenceMs: 1_500,
  /** How long a client retries a permission violation while its node's access list catches up. */
  aclCatchUpMs: 2_000,
  echoTimeoutMs: 2_000,
  /** A package as uploaded: the gzip'd tar; unpacked 64 MiB. */
  bundleMaxBytes: 68 * 1024 * 1024,
  signatureFileMaxBytes: 512 * 1024,
  communitiesPerUserMax: 100,
  communityMembersMax: 100_000,
  installsPerCommunityMax: 200,
  packagesPageMax: 200,
  executionsPageMax: 500,
  /** Gateway: bodies both ways, headers, deadline. */
  extensionBodyMaxBytes: 5 * 1024 * 1024,
  extensionHeadersMaxBytes: 16 * 1024,
  extensionGatewayTimeoutMs: 5_000,
  /** One invocation, whatever policy says it may at most. */
  extensionHostCallsMax: 200,
  extensionLogMaxBytes: 1024 * 1024,
  extensionLiftedMaxBytes: 16 * 1024 * 1024,
  extensionFetchesMax: 10,
  /** Of the log, kept with the execution's row. */
  extensionLogExcerptMaxBytes: 8 * 1024,
  kvKeyMaxBytes: 256,
  kvValueMaxBytes: 64 * 1024,
  secretsPerInstallMax: 50,
  secretMaxBytes: 8 * 1024,
  metricSeriesMax: 50,
  /** Crash loop: so many traps or timeouts within the time quarantine an install. */
  crashLoopCount: 5,
  crashLoopMs: 10 * 60_000,
  executionsKeptMs: 30 * 24 * 60 * 60_000,
  executionsKeptBytes: 1024 * 1024 * 1024,
  /** Number of shards of the stream that holds all persisted rooms. */
  roomShards: 8,
} as const;
