/**
 * Buttons, and links that look like them.
 *
 * Invariant: a busy button stays where it is, cannot be pressed again, and says to a screen reader that it works; its width does not jump. It keeps the focus: a
 * button that is switched off lets it go, and whoever works by keyboard would begin at the top of the page after every act. So one that has the focus while
 * there is nothing left to press it for is only said to be off, until the focus moves on.
 */
import { Link, type LinkProps } from "@tanstack/react-router";
import { useState, type ButtonHTMLAttributes, type ReactNode } from "react";
import { classNames } from "./class-names.ts";
import { useEnded } from "./refusal-focus.ts";
import { useUiTexts } from "./texts.ts";

export type ButtonTone = "primary" | "quiet" | "danger" | "plain";

const base =
  "inline-flex min-h-11 items-center justify-center gap-2 rounded-lg px-4 py-2 text-center font-semibold no-underline transition-colors disabled:opacity-60 aria-disabled:opacity-60";
const tones: Readonly<Record<ButtonTone, string>> = {
  primary: "border border-transparent bg-accent text-on-accent hover:enabled:not-aria-disabled:brightness-110",
  quiet: "border border-edge bg-card text-ink hover:bg-raised",
  danger: "border border-transparent bg-bad text-on-bad hover:enabled:not-aria-disabled:brightness-110",
  plain: "border border-transparent bg-transparent px-2 text-accent hover:bg-raised",
};

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "type"> {
  readonly tone?: ButtonTone;
  readonly busy?: boolean;
  /** Default "button": a button in a form submits only when it says so. */
  readonly type?: "button" | "submit";
  readonly children: ReactNode;
}

export function Button({
  tone = "primary",
  busy = false,
  type = "button",
  disabled = false,
  className,
  children,
  onClick,
  ...rest
}: ButtonProps) {
  const t = useUiTexts();
  const ref = useEnded(busy);
  const [hasFocus, setHasFocus] = useState(false);
  return (
    <button
      {...rest}
      ref={ref}
      type={type}
      disabled={disabled && !hasFocus}
      aria-busy={busy || undefined}
      aria-disabled={busy || (disabled && hasFocus) || undefined}
      onFocus={() => setHasFocus(true)}
      // When the window goes to the back the button still has it.
      onBlur={({ currentTarget }) => setHasFocus(document.activeElement === currentTarget)}
      // Also what Enter in a field would press.
      onClick={busy || disabled ? (event) => event.preventDefault() : onClick}
      className={classNames(base, tones[tone], className)}
    >
      {busy && <Spinner />}
      {children}
      {busy && <span className="sr-only">{t("busy")}</span>}
    </button>
  );
}

/** A way to another page that matters as much as a button. Takes the router's `to` and `params`. */
export function LinkButton({
  tone = "primary",
  className,
  ...rest
}: LinkProps & { readonly tone?: ButtonTone; readonly className?: string; readonly onClick?: () => void }) {
  return <Link {...rest} className={classNames(base, tones[tone], className)} />;
}

export function Spinner() {
  return <span aria-hidden="true" className="size-4 animate-spin rounded-full border-2 border-current border-e-transparent" />;
}
