/** Face of the host side of extension pages: no framework, no view. See docs/architecture/iframe-ui.md. */
export type { FrameEndpoint, IncomingAnswer, OutgoingCall } from "./call-desk.ts";
export { mayShow, navLinks, readExtensionPages, type ExtensionPages, type FramedInstall, type NavItem } from "./extension-pages.ts";
export { heightMaxPx, heightMinPx, type ToastKind } from "./frame-messages.ts";
export { createHostTheme, type Theme, type ThemeSource } from "./host-theme.ts";
export { createHostedFrame, type FrameFault, type FrameTimeouts, type HostedFrame, type HostedFrameOptions } from "./hosted-frame.ts";
export { readEncodedPath, readPath, writePath } from "./plain-path.ts";
