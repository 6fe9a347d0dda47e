/**
 * What an extension's pages import: `@althing/sdk/ui`. Runs in the sandboxed frame.
 */
export {
  BridgeError,
  connectHost,
  type BridgeWindow,
  type CallOptions,
  type CallResponse,
  type ConnectOptions,
  type HostConnection,
  type ToastKind,
} from "./connect-host.ts";
export { envelope, messageTypes, readEnvelope, readTheme, type Envelope, type MessageType, type Theme } from "./envelope.ts";
export { followHeight, followTheme } from "./follow-host.ts";
