/** The shims of WASI 0.2 for components of `wasi:http/proxy`. See docs/architecture/wasi-http.md. */
export { callUnits, type GuestFace } from "./guest-face.ts";
export { createWasiGuest, type WasiAnswer, type WasiGuest } from "./wasi-guest.ts";
