// A child that answers with a well-formed frame whose file name leaves the folder.
import { encode } from "cborg";

const bytes = new Uint8Array([1]);
const names = { fuel: "f", refuel: "r" };
const module = { name: "../../escape.wasm", bytes, names, instances: 1, minMemoryBytes: 0, maxMemoryBytes: 0 };
const content = encode({ ok: true, glue: bytes, modules: [module], imports: [], exports: [] });
const head = Buffer.alloc(4);
head.writeUInt32BE(content.length);
process.stdout.write(Buffer.concat([head, content]), () => process.exit(0));
