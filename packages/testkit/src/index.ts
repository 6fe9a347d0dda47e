/** Public face of the test kit: real processes, hostile servers, and the parts of the world that tests must own. */
export { endChild, exited } from "./child-process-end.ts";
export { createFakeClock, type FakeClock } from "./create-fake-clock.ts";
export { findNatsServer, natsServerMinimum } from "./find-nats-server.ts";
export { freePort, freePorts } from "./free-port.ts";
export { instanceEnvironment } from "./instance-environment.ts";
export type { NatsAction, NatsMessage, OnNatsMessage } from "./nats-stream-mutator.ts";
export { makePeerAuthority, type PeerAuthority, type PeerCertificate, type PeerCertificateOptions } from "./peer-certificates.ts";
export { repositoryRoot } from "./repository-root.ts";
export { prepareCluster, startCluster, type StartClusterOptions, type TestCluster, type TestNode } from "./start-cluster.ts";
export { startHostileNatsProxy, type HostileNatsProxy, type HostileNatsProxyOptions } from "./start-hostile-nats-proxy.ts";
export {
  startHostileProxy,
  withStatus,
  type HostileHandlers,
  type HostileProxy,
  type HostileProxyOptions,
  type RawAnswer,
  type RequestAction,
  type RequestView,
  type ResponseView,
} from "./start-hostile-proxy.ts";
export { startInstance, type InstancePorts, type StartInstanceOptions, type TestInstance } from "./start-instance.ts";
export { startNats, type StartNatsOptions, type TestNats } from "./start-nats.ts";
export { startOtlpCollector, type CollectedSpan, type OtlpCollector } from "./start-otlp-collector.ts";
export { startTcpGate, type GateState, type TcpGate, type TcpGateOptions } from "./start-tcp-gate.ts";
export { tempDir, type TempDir } from "./temp-dir.ts";
