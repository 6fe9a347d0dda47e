/**
 * The typed refusal of component preparation.
 *
 * Invariant: whatever bytes come in, what leaves preparation is `component.refused` with a `rule` of this list or of the metering
 * pass, and a `detail` that holds no text of the component unless that text passed the name check (it goes to logs and pages).
 * docs/architecture/preparation.md explains each rule.
 */
import { AppError } from "@althing/contract";

/** Names of the rules by which preparation refuses a component. */
export type PreparationRule =
  | "component.malformed"
  | "component.core-module"
  | "feature.core-types"
  | "feature.component-types"
  | "feature.component-values"
  | "feature.async"
  | "feature.values"
  | "name.core"
  | "name.component"
  | "name.length"
  | "name.reserved"
  | "name.dependency"
  | "import.unknown"
  | "import.version"
  | "export.missing"
  | "export.reserved"
  | "transpile"
  | "glue.unexpected"
  | "memory.sum"
  | "table.sum"
  | "compile"
  | "limit.component-bytes"
  | "limit.depth"
  | "limit.items"
  | "limit.modules"
  | "limit.instances"
  | "limit.glue-bytes"
  | "limit.output-bytes"
  | "limit.time"
  | "limit.memory"
  | "preparation.crashed";

/** @throws {component.refused} always */
export function refusePreparation(rule: PreparationRule, detail: string): never {
  throw new AppError("component.refused", { rule, detail });
}
