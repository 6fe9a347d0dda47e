/**
 * The typed refusal of the metering pass.
 *
 * Invariant: nothing but `AppError` with code `component.refused` leaves the pass, whatever bytes come in. `rule` is a stable
 * name from the list below (docs/architecture/metering.md explains each), `detail` says where and what.
 */
import { AppError } from "@althing/contract";

/** Names of the rules by which a core module is refused. */
export type RefusalRule =
  | "engine"
  | "malformed"
  | "section.unknown"
  | "opcode.unknown"
  | "type.unknown"
  | "import.unknown"
  | "feature.atomics"
  | "feature.memory64"
  | "feature.table64"
  | "feature.shared-memory"
  | "feature.multi-memory"
  | "feature.mixed-exceptions"
  | "feature.stack-switching"
  | "feature.custom-descriptors"
  | "gc.constant-allocation"
  | "memory.minimum"
  | "table.minimum"
  | "limit.module-bytes"
  | "limit.types"
  | "limit.functions"
  | "limit.globals"
  | "limit.exports"
  | "limit.tables"
  | "limit.function-bytes"
  | "limit.locals"
  | "limit.nesting";

/** @throws {component.refused} always */
export function refuse(rule: RefusalRule, detail: string): never {
  throw new AppError("component.refused", { rule, detail });
}
