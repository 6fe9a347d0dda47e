/** Face of mutual TLS between hub and runner. See docs/architecture/runner.md. */
export { readPeerTls, type PeerFiles, type PeerTls } from "./peer-files.ts";
export { hostOf } from "./peer-names.ts";
export {
  createPeerConnector,
  createPeerGate,
  peerConnectCode,
  peerServerOptions,
  type PeerGate,
  type PeerGateOptions,
} from "./peer-tls.ts";
