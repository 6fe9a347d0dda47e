/**
 * The catalogue of everything that can be refused or fail, one row a code.
 *
 * Invariant: codes are append-only; each is thrown somewhere, documented and tested (tests/guards). HTTP status, CLI exit text,
 * client errors and docs pages derive from this table. `text` is public: parameters in braces are filled from `AppError.params`,
 * never from secrets. `kind`: `user` = the caller can change the request; `system` = the instance must change.
 */
export interface ErrorRow {
  readonly status: number;
  readonly kind: "user" | "system";
  /** May the same request be sent again unchanged with a hope of success? */
  readonly retry: boolean;
  readonly text: string;
  /** Who can change what refused, and what to do next. */
  readonly fix: string;
}

export const errorCatalogue = {
  // --- requests ---
  "request.invalid": { status: 400, kind: "user", retry: false, text: "The request does not fit the route: {detail}.", fix: "Correct the named fields; /api/openapi.json has the schema." },
  "request.malformed": { status: 400, kind: "user", retry: false, text: "The request cannot be read: {detail}.", fix: "Send well-formed HTTP, JSON in UTF-8, and one value for each framing header." },
  "request.too_large": { status: 413, kind: "user", retry: false, text: "The body has more than {limit} bytes.", fix: "Send less; the limit of each route is in the reference." },
  "request.timeout": { status: 408, kind: "user", retry: true, text: "The request did not come within {limit}.", fix: "Send it in one go; check the connection." },
  "request.headers_too_large": { status: 431, kind: "user", retry: false, text: "The headers have more than {limit} bytes.", fix: "Send fewer or shorter headers." },
  "request.unsupported_media_type": { status: 415, kind: "user", retry: false, text: "The route takes {expected}, not {observed}.", fix: "Set content-type to the type named." },
  "request.not_found": { status: 404, kind: "user", retry: false, text: "There is no route {method} {path}.", fix: "See /api/openapi.json for the routes." },
  "request.method_not_allowed": { status: 405, kind: "user", retry: false, text: "{path} does not take {method}.", fix: "Use one of: {allowed}." },
  "request.rate_limited": { status: 429, kind: "user", retry: true, text: "More than {limit} requests from this address.", fix: "Wait for the time in Retry-After." },
  "request.conflict": { status: 409, kind: "user", retry: false, text: "The record changed meanwhile: {detail}.", fix: "Read it again and repeat the change on the new revision." },
  "request.precondition_failed": { status: 412, kind: "user", retry: false, text: "If-Match names revision {expected}, the record has {observed}.", fix: "Read it again and repeat the change on the new revision." },
  "request.idempotency_mismatch": { status: 422, kind: "user", retry: false, text: "This Idempotency-Key was used with another request.", fix: "Use a new key for a new request." },
  "request.in_progress": { status: 409, kind: "user", retry: true, text: "A request with this Idempotency-Key is still running.", fix: "Wait a moment and send it again." },
  "system.internal": { status: 500, kind: "system", retry: true, text: "Something failed inside; the log has it under request id {requestId}.", fix: "The operator finds the cause in the hub's log by the request id." },
  "system.unavailable": { status: 503, kind: "system", retry: true, text: "This node serves nothing just now: {detail}.", fix: "Try again, or another node; the operator sees why at /healthz." },
  "system.stopping": { status: 503, kind: "system", retry: true, text: "This node is stopping.", fix: "Try again, or another node." },

  // --- authentication: RFC 9421 and 9530 ---
  "auth.required": { status: 401, kind: "user", retry: false, text: "The route takes a signed request; Signature-Input or Signature is missing.", fix: "Sign with your identity; the client library and the CLI do." },
  "auth.malformed": { status: 401, kind: "user", retry: false, text: "The signature fields cannot be read: {detail}.", fix: "Send Signature-Input and Signature as RFC 9421 writes them." },
  "auth.signature_count": { status: 401, kind: "user", retry: false, text: "Exactly one signature is taken, {observed} came.", fix: "Send one signature." },
  "auth.component_missing": { status: 401, kind: "user", retry: false, text: "The signature does not cover {component}.", fix: "Cover @method, @target-uri, the body's fields and every signed header present." },
  "auth.component_unknown": { status: 401, kind: "user", retry: false, text: "The signature covers {component}, which this profile does not take or the request does not have.", fix: "Cover only the profile's components, each once." },
  "auth.parameter_missing": { status: 401, kind: "user", retry: false, text: "The signature parameter {parameter} is missing or has the wrong form.", fix: "Send created, expires, nonce, keyid, alg and tag." },
  "auth.algorithm": { status: 401, kind: "user", retry: false, text: "The algorithm {observed} is not taken.", fix: "Use ed25519." },
  "auth.tag": { status: 401, kind: "user", retry: false, text: "The signature is for another application ({observed}).", fix: "Use tag=\"althing\"." },
  "auth.stale": { status: 401, kind: "user", retry: true, text: "The signature is outside its time: created {created}, expires {expires}, this node's clock {now}.", fix: "Check your clock; sign anew." },
  "auth.replayed": { status: 401, kind: "user", retry: true, text: "This nonce was used before.", fix: "Sign anew with a fresh nonce." },
  "auth.nonce_unavailable": { status: 503, kind: "system", retry: true, text: "The nonce could not be recorded, so the request was refused.", fix: "Try again; the operator sees the store's state at /healthz." },
  "auth.bad_signature": { status: 401, kind: "user", retry: false, text: "The signature does not verify.", fix: "Check that the signed bytes are the sent ones (proxies must not rewrite)." },
  "auth.digest_missing": { status: 400, kind: "user", retry: false, text: "The body comes without Content-Digest.", fix: "Send Content-Digest with sha-256 or sha-512 (RFC 9530)." },
  "auth.digest_malformed": { status: 400, kind: "user", retry: false, text: "Content-Digest cannot be read or names no known algorithm.", fix: "Send sha-256 or sha-512 as RFC 9530 writes it." },
  "auth.digest_mismatch": { status: 400, kind: "user", retry: false, text: "The body's bytes do not have the digest that was signed.", fix: "Send the bytes that were signed." },
  "auth.wrong_authority": { status: 421, kind: "user", retry: false, text: "This instance is not {observed}.", fix: "Use one of its addresses; the operator lists them in `origins`." },
  "auth.unknown_user": { status: 401, kind: "user", retry: false, text: "This key belongs to no user of the instance.", fix: "Ask an admin for an invitation and join with it." },
  "auth.revoked": { status: 403, kind: "user", retry: false, text: "This user was revoked.", fix: "Ask an admin of the instance." },
  "auth.forbidden": { status: 403, kind: "user", retry: false, text: "You lack {permission}.", fix: "{who} can grant it." },
  "auth.origin": { status: 403, kind: "user", retry: false, text: "WebSockets are not taken from origin {observed}.", fix: "The operator lists origins in `origins`." },

  // --- users ---
  "user.exists": { status: 409, kind: "user", retry: false, text: "This key is a user already (handle {handle}, {status}).", fix: "A revoked key stays revoked; join with a new identity." },
  "user.handle_taken": { status: 409, kind: "user", retry: false, text: "The handle {handle} was given before; handles are never given twice.", fix: "Choose another." },
  "user.not_found": { status: 404, kind: "user", retry: false, text: "There is no active user {user}.", fix: "Check the handle or key with `althing user list`." },
  "user.last_admin": { status: 409, kind: "user", retry: false, text: "This is the last active admin.", fix: "Make another admin first." },
  "user.bad_key_proof": { status: 400, kind: "user", retry: false, text: "The key-agreement key is not signed by the identity it is for.", fix: "Publish the key with the client library; it signs it." },
  "bootstrap.closed": { status: 409, kind: "user", retry: false, text: "This instance has an admin already ({handle}).", fix: "Ask that admin for an invitation." },
  "invitation.invalid": { status: 403, kind: "user", retry: false, text: "The invitation is unknown, used or expired.", fix: "Ask for a new one." },
  "claim.invalid": { status: 403, kind: "user", retry: false, text: "The one-time link is unknown, used or expired.", fix: "Start the instance again for a new link, or run `althing bootstrap`." },
  "session.not_found": { status: 404, kind: "user", retry: false, text: "There is no such session of yours.", fix: "Open a new one." },
  "session.nkey_taken": { status: 409, kind: "user", retry: false, text: "This session key is in use.", fix: "Draw a fresh key for each session." },
  "session.too_many": { status: 429, kind: "user", retry: true, text: "You have {limit} open sessions.", fix: "Close one, or wait until one expires." },

  // --- rooms ---
  "room.not_found": { status: 404, kind: "user", retry: false, text: "There is no room {room}, or you are not in it.", fix: "Check the name with `althing room list`; ask an owner to invite you." },
  "room.name_taken": { status: 409, kind: "user", retry: false, text: "The room name {name} is taken.", fix: "Choose another." },
  "room.must_encrypt": { status: 403, kind: "user", retry: false, text: "This instance listens beyond this machine, so rooms must be encrypted.", fix: "Create it encrypted, or ask the operator to listen on loopback only." },
  "room.no_keys": { status: 409, kind: "user", retry: false, text: "{handle} has not published a key-agreement key, so nothing can be sealed to it.", fix: "{handle} signs in once with a client; it publishes the key." },
  "room.already_member": { status: 409, kind: "user", retry: false, text: "{handle} is a member already.", fix: "Nothing to do." },
  "room.not_member": { status: 404, kind: "user", retry: false, text: "{handle} is not a member of this room.", fix: "Check with `althing room show`." },
  "room.last_owner": { status: 409, kind: "user", retry: false, text: "A room keeps at least one owner.", fix: "Make another member owner first, or delete the room." },
  "room.ownerless": { status: 409, kind: "user", retry: false, text: "The room has no owner any more, so nobody can do this or grant it.", fix: "Found a new room and invite the members there; here moderators still invite and remove plain members." },
  "room.epoch_conflict": { status: 409, kind: "user", retry: true, text: "The room is at epoch {observed}, the proposal follows {expected}.", fix: "Read the room's new epoch, make the change on it and propose again." },
  "room.epoch_invalid": { status: 422, kind: "user", retry: false, text: "The epoch record is refused: {detail}.", fix: "Make the record with the client library of this version." },
  "room.epoch_required": { status: 422, kind: "user", retry: false, text: "In an encrypted room this change needs an epoch record.", fix: "Use a client that makes one." },
  "room.invite_invalid": { status: 422, kind: "user", retry: false, text: "The statement of the invitation is refused: {detail}.", fix: "Make it with the client library of this version." },
  "room.full": { status: 409, kind: "user", retry: false, text: "The room has its {limit} members.", fix: "Remove someone first." },
  "room.too_many": { status: 409, kind: "user", retry: false, text: "You are in {limit} rooms.", fix: "Leave one first." },
  "room.invitee_busy": { status: 409, kind: "user", retry: false, text: "{handle} is in, or invited to, {limit} rooms.", fix: "{handle} leaves a room or declines an invitation first." },
  "room.requests_full": { status: 409, kind: "user", retry: true, text: "{limit} requests to join this room wait for an answer.", fix: "Ask an owner to admit or decline some, then try again." },
  "room.quota": { status: 507, kind: "user", retry: false, text: "The room holds its {limit} bytes.", fix: "Delete it, or ask the operator for a larger quota." },
  "room.not_persisted": { status: 409, kind: "user", retry: false, text: "The room keeps no messages.", fix: "Create a persisted room for history." },
  "blob.not_found": { status: 404, kind: "user", retry: false, text: "There is no blob {hash}, or it is not yours to read.", fix: "Check the hash and the room." },
  "blob.too_large": { status: 413, kind: "user", retry: false, text: "The blob has more than {limit} bytes.", fix: "Split it." },
  "blob.quota": { status: 507, kind: "user", retry: false, text: "Your blobs hold {limit} bytes.", fix: "Delete rooms whose blobs you no longer need." },

  // --- what a client notices by itself ---
  "client.unreachable": { status: 0, kind: "system", retry: true, text: "No address answers: {detail}.", fix: "Is the instance running? `althing up` starts one; --url names another." },
  "client.insecure_target": { status: 0, kind: "user", retry: false, text: "{url} is not this machine and not encrypted.", fix: "Use https:// (and tls:// for NATS), with --ca for a private authority." },
  "client.bad_answer": { status: 0, kind: "system", retry: false, text: "The server's answer does not fit the contract: {detail}.", fix: "Compare versions with `althing status`; do not trust this server blindly." },
  "client.no_files": { status: 0, kind: "user", retry: false, text: "There are no files here to keep {path} in.", fix: "In a browser keep state with openIndexedDbState." },
  "client.closed": { status: 0, kind: "user", retry: false, text: "This client was closed.", fix: "Create a new one." },
  "client.send_unconfirmed": { status: 0, kind: "system", retry: true, text: "The message was not confirmed within {timeoutMs} ms.", fix: "It may have arrived: send the same message id again, receivers drop doubles." },
  "pin.changed": { status: 0, kind: "system", retry: false, text: "{handle} was {pinned} and is now {observed}.", fix: "Compare safety numbers in person; do not go on before." },
  "pin.forged": { status: 0, kind: "system", retry: false, text: "The keys served for {handle} are not signed by its identity.", fix: "The server changed them; tell the operator and do not send secrets." },
  "epoch.forged": { status: 0, kind: "system", retry: false, text: "The epoch record {epoch} of {room} is not valid: {detail}.", fix: "The server or a member altered the membership; do not send." },
  "epoch.forked": { status: 0, kind: "system", retry: false, text: "{room} has two different records for epoch {epoch}.", fix: "The server shows members different rooms; compare with another member." },
  "epoch.rolled_back": { status: 0, kind: "system", retry: false, text: "{room} was at epoch {pinned} and is now served at {observed}.", fix: "The server restored old state or lies; compare with another member." },
  "epoch.no_key": { status: 0, kind: "user", retry: false, text: "There is no key for epoch {epoch} of {room}: you were not a member, or history is from join on.", fix: "Ask a member to invite you." },
  "frame.malformed": { status: 0, kind: "user", retry: false, text: "A frame cannot be read: {detail}.", fix: "Dropped and counted; someone publishes junk." },
  "frame.forged": { status: 0, kind: "system", retry: false, text: "A frame does not verify: {detail}.", fix: "Dropped and counted; someone forges messages." },
  "frame.replayed": { status: 0, kind: "system", retry: false, text: "A frame came again.", fix: "Dropped and counted." },
  "frame.misplaced": { status: 0, kind: "system", retry: false, text: "A frame for {expected} came on {observed}.", fix: "Dropped and counted; the server swaps subjects." },
  "frame.gap": { status: 0, kind: "system", retry: false, text: "{count} messages of {sender} are missing and history does not have them.", fix: "Ask the sender; the server drops messages." },
  "frame.too_large": { status: 0, kind: "user", retry: false, text: "The message has more than {limit} bytes.", fix: "Send it as a blob." },
  "frame.exhausted": { status: 0, kind: "user", retry: false, text: "This stream has sent its {limit} frames.", fix: "Start a new stream; a client does so by itself when it connects anew." },

  // --- files, state, data folder ---
  "identity.not_found": { status: 0, kind: "user", retry: false, text: "There is no identity file {path}.", fix: "`althing identity new {path}` makes one." },
  "identity.exists": { status: 0, kind: "user", retry: false, text: "{path} exists; an identity is never overwritten.", fix: "Choose another name." },
  "identity.mode": { status: 0, kind: "user", retry: false, text: "{path} has mode {observed}; it must not be readable by others.", fix: "chmod {expected} {path}" },
  "identity.corrupt": { status: 0, kind: "user", retry: false, text: "{path} is no identity file: {detail}.", fix: "It is left as it is. Restore with `althing identity restore` and your recovery phrase." },
  "identity.passphrase": { status: 0, kind: "user", retry: false, text: "The passphrase does not open {path}.", fix: "Try again, or restore with your recovery phrase." },
  "identity.phrase": { status: 0, kind: "user", retry: false, text: "This is no recovery phrase: {detail}.", fix: "Twelve words of the BIP-39 English list; the last holds a checksum." },
  "state.corrupt": { status: 0, kind: "user", retry: false, text: "The client's state {path} cannot be read: {detail}.", fix: "It is left as it is. Move it away to start over with `first sight` warnings." },
  "store.conflict": { status: 409, kind: "user", retry: true, text: "Revision {expected} was expected for {key}, {observed} found.", fix: "Read again and repeat." },
  "store.key_invalid": { status: 400, kind: "user", retry: false, text: "The key {key} is not valid: {detail}.", fix: "Keys are 1–16 segments of 1–255 bytes." },
  "store.value_invalid": { status: 500, kind: "system", retry: false, text: "A record of {collection} does not fit its schema: {detail}.", fix: "The data was written by another version, or damaged; restore a backup." },
  "store.value_too_large": { status: 413, kind: "user", retry: false, text: "The value has {observed} bytes, more than {limit}.", fix: "Store large content as an object." },
  "store.batch_too_large": { status: 413, kind: "user", retry: false, text: "A batch takes at most {limit} writes, {observed} came.", fix: "Split the change." },
  "store.unavailable": { status: 503, kind: "system", retry: true, text: "The store does not answer: {detail}.", fix: "Try again; the operator sees the store's state at /healthz." },
  "store.version": { status: 0, kind: "system", retry: false, text: "The data has schema version {observed}, this program knows {expected}.", fix: "Run the version that wrote it, or upgrade in the order of the changelog." },
  "store.corrupt": { status: 0, kind: "system", retry: false, text: "The store in {path} is damaged: {detail}.", fix: "Restore a backup; nothing was changed." },
  "object.exists": { status: 409, kind: "user", retry: false, text: "The object {key} exists with other bytes.", fix: "Objects are written once." },
  "object.hash_mismatch": { status: 422, kind: "user", retry: false, text: "The bytes do not have the hash {key}, but {observed}.", fix: "Send the bytes the hash was made of." },
  "object.not_found": { status: 404, kind: "user", retry: false, text: "There is no object {key}.", fix: "Check the key." },
  "data.locked": { status: 0, kind: "user", retry: false, text: "{path} is in use by process {pid}.", fix: "`althing stop --data {path}` ends it." },
  "data.mode": { status: 0, kind: "user", retry: false, text: "{path} has mode {observed}; it must not be open to others.", fix: "chmod {expected} {path}" },
  "data.key_missing": { status: 0, kind: "system", retry: false, text: "{path} is missing, but the data folder is not empty.", fix: "Restore the key file from a backup; a new key would lose the data." },
  "data.corrupt": { status: 0, kind: "system", retry: false, text: "{path} cannot be read: {detail}.", fix: "It is left as it is; restore it from a backup." },

  // --- nats, supervisor, configuration ---
  "nats.not_found": { status: 0, kind: "system", retry: false, text: "No nats-server {minimum} or newer was found.", fix: "Install nats-server {minimum} or newer and put it on PATH, or run the set-up again with a network." },
  "nats.version": { status: 0, kind: "system", retry: false, text: "{path} is nats-server {observed}; {minimum} or newer is needed ({reason}).", fix: "Install a newer one, or let the set-up bring it." },
  "nats.start_failed": { status: 0, kind: "system", retry: false, text: "nats-server did not start: {detail}.", fix: "See the log lines above it." },
  "nats.unavailable": { status: 503, kind: "system", retry: true, text: "The messaging server does not answer: {detail}.", fix: "Try again; the supervisor restarts it." },
  "nats.acl_refused": { status: 503, kind: "system", retry: true, text: "The messaging server refused the new access list: {detail}.", fix: "The old list stays in force; report this as a defect." },
  "nats.acl_unmanaged": { status: 0, kind: "user", retry: false, text: "--nats-url needs --nats-acl-file and --nats-pid-file of a server on this machine.", fix: "Give both, or let the supervisor run nats-server." },
  "up.port_in_use": { status: 0, kind: "user", retry: false, text: "Port {port} ({what}) is in use by {holder}.", fix: "Stop it, or choose another with {flag}." },
  "up.not_running": { status: 0, kind: "user", retry: false, text: "No instance runs on {path}.", fix: "`althing up` starts one." },
  "up.failed": { status: 0, kind: "system", retry: false, text: "{what} did not become ready: {detail}.", fix: "The log above says why; `althing doctor` explains the posture." },
  "config.unknown_key": { status: 0, kind: "user", retry: false, text: "{source} sets {key}, which is no setting.", fix: "`althing config` lists the settings." },
  "config.invalid": { status: 0, kind: "user", retry: false, text: "{key} from {source} is {observed}: {detail}.", fix: "Give a value of the kind named." },
  "config.insecure_bind": { status: 0, kind: "user", retry: false, text: "{host} is not loopback and there is neither a certificate nor --behind-proxy.", fix: "Give --tls-cert and --tls-key, or --behind-proxy, or listen on loopback." },
  "config.auth_off": { status: 0, kind: "user", retry: false, text: "auth = off is refused on {host}.", fix: "Authentication can be off only when every listener is loopback." },
  "cli.usage": { status: 0, kind: "user", retry: false, text: "{detail}.", fix: "--help shows examples." },
  "cli.declined": { status: 0, kind: "user", retry: false, text: "Nothing was done.", fix: "Answer yes, or give --yes." },
  "check.failed": { status: 0, kind: "system", retry: true, text: "The check failed: {detail}.", fix: "`althing doctor` explains the posture." },

  // --- extensions: components ---
  "component.refused": { status: 422, kind: "user", retry: false, text: "The component is refused by rule {rule}: {detail}.", fix: "Build it without what the rule names; docs/architecture/metering.md explains each rule." },

  // --- the guarded fetcher: docs/architecture/guarded-fetcher.md ---
  "fetch.url_forbidden": { status: 422, kind: "user", retry: false, text: "The address {observed} is refused by rule {rule}: {detail}.", fix: "Give an https address of a public host by its name; docs/architecture/guarded-fetcher.md has every rule." },
  "fetch.host_not_allowed": { status: 403, kind: "user", retry: false, text: "{observed} is not among the hosts that may be fetched from (rule {rule}).", fix: "The list is the extension's granted egress, or the policy's hosts; who may change that can add it." },
  "fetch.private_address": { status: 422, kind: "user", retry: false, text: "{host} leads to {observed}, which is not public (rule {rule}).", fix: "Use a public host; for a service on the own network the operator adds an exact exception to `privateHosts`." },
  "fetch.dns_failed": { status: 502, kind: "system", retry: true, text: "The name {host} gave no usable answer: {detail} (rule {rule}).", fix: "Check the name; try again later; the operator checks the resolver." },
  "fetch.unreachable": { status: 502, kind: "system", retry: true, text: "{host} could not be reached at {observed}: {detail}.", fix: "Try again later; the other side may be down." },
  "fetch.certificate": { status: 502, kind: "system", retry: false, text: "The certificate of {host} is refused: {detail}.", fix: "The other side must show a valid certificate for its name; there is no way around this check." },
  "fetch.timeout": { status: 504, kind: "system", retry: true, text: "{host} took more than {limitMs} ms (rule {rule}).", fix: "Try again; the other side is slow." },
  "fetch.too_large": { status: 413, kind: "user", retry: false, text: "{host} sends more than {limit} bytes (rule {rule}).", fix: "Fetch less; the limits are in docs/architecture/guarded-fetcher.md." },
  "fetch.bad_response": { status: 502, kind: "system", retry: false, text: "The answer of {host} cannot be taken: {detail} (rule {rule}).", fix: "The other side must answer in well-formed HTTP/1.1." },
  "fetch.redirect_refused": { status: 422, kind: "user", retry: false, text: "{host} redirects to {observed}, refused by rule {rule}.", fix: "Fetch the final address directly; it must be allowed by itself." },
  "fetch.request_forbidden": { status: 422, kind: "user", retry: false, text: "The request is refused by rule {rule}: {observed}.", fix: "Leave framing and connection headers to the fetcher; docs/architecture/guarded-fetcher.md has the rules." },
  "fetch.aborted": { status: 503, kind: "system", retry: true, text: "The fetch from {host} was ended: {detail}.", fix: "Try again." },

  // --- extensions: bundles, trust, manifests ---
  "bundle.malformed": { status: 422, kind: "user", retry: false, text: "The bundle is refused by rule {rule} at {path}: {detail}.", fix: "Pack it with `althing ext pack`, which writes the one canonical form; docs/architecture/bundles.md explains each rule." },
  "bundle.too_large": { status: 413, kind: "user", retry: false, text: "The bundle has more than {limit} {unit}.", fix: "Ship less; the operator sets the limits of bundles in the instance's configuration." },
  "trust.unsigned": { status: 422, kind: "user", retry: false, text: "The bundle has no signature, and this instance takes signed ones only.", fix: "Sign it with `althing ext sign` and send the .sig.json beside it." },
  "trust.malformed": { status: 422, kind: "user", retry: false, text: "The signature file cannot be read: {detail}.", fix: "Make it with `althing ext sign`; docs/architecture/trust.md has its form." },
  "trust.bad_signature": { status: 422, kind: "user", retry: false, text: "The signature does not verify: {detail}.", fix: "Sign the bundle again; if it came from elsewhere, treat it as altered." },
  "trust.untrusted_signer": { status: 422, kind: "user", retry: false, text: "The signer is not trusted: {detail}.", fix: "The operator adds the signer's key or its authority to the trust bundle; docs/architecture/trust.md has every rule of the chain." },
  "trust.revoked": { status: 422, kind: "user", retry: false, text: "{subject} is revoked, or its state is unknown: {detail}.", fix: "The signer gets a new certificate; the operator keeps the revocation lists beside the trust bundle current." },
  "trust.content_mismatch": { status: 422, kind: "user", retry: false, text: "The signature is for another {what}: it says {expected}, this is {observed}.", fix: "Sign exactly the bundle that is sent; if it came from elsewhere, treat it as altered." },
  "trust.bundle_invalid": { status: 0, kind: "system", retry: false, text: "The trust bundle or its revocation lists cannot be read: {detail}.", fix: "Correct the file; nothing is trusted until it can be read in full." },
  "manifest.invalid": { status: 422, kind: "user", retry: false, text: "The manifest has {count} faults.", fix: "Correct the named fields; docs/architecture/manifest.md has each rule." },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorCatalogue;
