/** What tells why something did not happen: read out when it comes, and where whoever pressed the button goes on. */
import type { ReactNode } from "react";
import { useToldFocus } from "./refusal-focus.ts";

/** @param told told anew when it is another */
export function Told({
  told,
  className,
  children,
}: {
  readonly told?: unknown;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  const ref = useToldFocus(told);
  return (
    <div ref={ref} role="alert" tabIndex={-1} className={className}>
      {children}
    </div>
  );
}
