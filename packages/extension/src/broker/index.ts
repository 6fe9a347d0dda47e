/** Face of the broker. */
export {
  createBroker,
  type Broker,
  type BrokerAnswer,
  type BrokerDeps,
  type BrokerNeighbours,
  type BrokerScope,
  type IssuedToken,
} from "./broker.ts";
