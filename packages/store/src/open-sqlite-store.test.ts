import { describeStore } from "../test/store.contract.ts";
import { sqliteBackend } from "../test/store-place.ts";

describeStore(sqliteBackend);
