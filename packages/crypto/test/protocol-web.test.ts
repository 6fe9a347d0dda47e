import { expect, it, vi } from "vitest";
import * as primitives from "#primitives";
import { describeProtocol } from "./protocol.suite.ts";

vi.mock("../src/primitives-node.ts", () => import("../src/primitives-web.ts"));

it("the suite below runs on WebCrypto: operations answer later", async () => {
  const key = primitives.importAeadKey(new Uint8Array(32));
  expect(key).toBeInstanceOf(Promise);
  await key;
});

describeProtocol("WebCrypto");
