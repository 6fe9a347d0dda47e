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
  auditPageMax: 200,
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
  /** Events of a community: pages, streams of server-sent events, and the projection on the messaging server. */
  eventsPageMax: 200,
  eventExportPageMax: 500,
  eventStreamsPerUserMax: 8,
  eventStreamsPerHubMax: 500,
  eventStreamMaxBytes: 256 * 1024 * 1024,
  eventStreamKeptMs: 7 * 24 * 60 * 60_000,
  /** Number of shards of the stream that holds all persisted rooms. */
  roomShards: 8,
  /** Roles of a community's own, besides the built-in five. */
  customRolesMax: 50,
  rolesPerMemberMax: 20,
  permissionsPerRoleMax: 100,
  communityInvitationsMax: 200,
  communityJoinRequestsMax: 500,
  /** How long answers to the welcome's questions stay after the decision. */
  joinAnswersKeptMs: 30 * 24 * 60 * 60_000,
  /** Proposals: characters of their texts, and how many of each. */
  proposalTitleMaxChars: 200,
  proposalBodyMaxChars: 50_000,
  proposalOptionMaxChars: 200,
  proposalOptionsMax: 50,
  proposalVersionsMax: 200,
  proposalAmendmentsMax: 100,
  proposalCommentsMax: 5_000,
  commentsPerAuthorMax: 500,
  commentMaxChars: 10_000,
  reasonMaxChars: 2_000,
  /** Of one author in one community, until they are decided or withdrawn. */
  openProposalsPerAuthorMax: 50,
  /** Of one author in one community within 24 hours, whatever became of them. */
  proposalsPerAuthorDayMax: 100,
  proposalRequestMaxBytes: 384 * 1024,
  proposalsPageMax: 100,
  /** From the opening of a vote, extensions included. */
  votingMaxMs: 90 * 24 * 60 * 60_000,
  votingMinMs: 60_000,
  ballotsPageMax: 1_000,
  /** What a trustee publishes at a time: 200 ballots of 50 options. */
  publishBallotsBodyMaxBytes: 1024 * 1024,
  /** Hooks: how often an event is tried, how long an emitted chain of events may be, what a chain of filters may take. */
  hookAttemptsMax: 5,
  eventDepthMax: 4,
  filterBudgetMs: 200,
  deadLettersPerInstallMax: 1_000,
  deadLettersPageMax: 200,
  /** Events that wait for an install which is held (quarantine, policy); older ones are skipped. */
  hookBacklogMax: 1_000,
  eventsPerMinutePerInstall: 60,
  eventDataMaxBytes: 8 * 1024,
  /** Jobs: runs of one hub at a time, runs kept of each job, and how far a package may postpone one. */
  jobsRunningMax: 16,
  jobsRunningPerCommunityMax: 4,
  jobRunsKept: 50,
  jobPostponeMaxMs: 366 * 24 * 60 * 60_000,
  /** A slot whose time is longer ago is missed. */
  jobSlotLateMs: 60_000,
  /** A running job's record is renewed so often; a renewal that stays away so long means that its hub is gone. */
  jobBeatMs: 5_000,
  jobLostMs: 20_000,
  announcementsMax: 200,
} as const;
