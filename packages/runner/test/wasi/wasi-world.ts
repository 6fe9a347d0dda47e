/** The service's world with guests of `wasi:http/proxy` in bundles of their own. */
import { makeBundle, openServiceWorld, type Answered, type HeadChange, type ServiceWorld } from "../service/service-world.ts";
import type { RunnerOptions } from "../../src/index.ts";

export interface WasiCall extends HeadChange {
  readonly method?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Uint8Array | string;
}

export interface WasiWorld {
  readonly service: ServiceWorld;
  /** Puts a component where the runner finds it. @returns the hash of its bundle */
  add(component: Uint8Array): Promise<string>;
  call(contentHash: string, path: string, change?: WasiCall): Promise<Answered & { readonly text: string }>;
  close(): Promise<void>;
}

export async function openWasiWorld(options: Partial<RunnerOptions> = {}): Promise<WasiWorld> {
  const service = await openServiceWorld(options);
  return {
    service,
    async add(component) {
      const bundle = await makeBundle({ "manifest.json": "{}", "extension.wasm": component });
      service.hub.bundles.set(bundle.contentHash, bundle.tar);
      return bundle.contentHash;
    },
    async call(contentHash, path, { method = "GET", headers = [], body = "", query = "", ...change } = {}) {
      const http = {
        kind: "http" as const,
        method,
        path,
        query,
        params: [],
        headers: headers.map(([name, value]): [string, string] => [name, value]),
      };
      const answered = await service.execute(service.head({ contentHash, call: http, ...change }), body);
      return { ...answered, text: Buffer.from(answered.body).toString() };
    },
    close: () => service.close(),
  };
}
