import { describeStore } from "../test/store.contract.ts";
import { memoryBackend } from "../test/store-place.ts";

describeStore(memoryBackend);
