/** Metering of core modules: the pass, its options, and the host's side of it. See docs/architecture/metering.md. */
export { meterModule, type InjectedNames, type MeteredModule, type MeterReport } from "./meter-module.ts";
export { defaultMeterLimits, type MeterLimits, type MeterOptions } from "./options.ts";
export { createFuelTank, type FuelTank, type FuelTankOptions, type MeteredInstance } from "./fuel.ts";
export { type RefusalRule } from "./refusal.ts";
