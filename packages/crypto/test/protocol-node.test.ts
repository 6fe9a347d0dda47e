import { describeProtocol } from "./protocol.suite.ts";

describeProtocol("node:crypto");
