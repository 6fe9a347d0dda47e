/** Face of the gateway. */
export { createGateway, type Gateway, type GatewayDeps, type GatewayRequest, type GatewayResponse } from "./gateway.ts";
