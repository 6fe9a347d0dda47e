/** Keeps a screen that broke from taking the rest of the page with it, and says what broke. */
import { Component, type ReactNode } from "react";
import { Button, Page, PageHeader, Refusal } from "../ui/index.ts";
import { useAppTexts } from "./texts.ts";

interface Props {
  readonly children: ReactNode;
  /** A new value is a new try: where one is and goes. */
  readonly resetKey: string;
}

interface State {
  readonly error: unknown;
  readonly isBroken: boolean;
  readonly key: string;
}

export class FaultBoundary extends Component<Props, State> {
  override state: State = { error: undefined, isBroken: false, key: this.props.resetKey };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { error, isBroken: true };
  }

  static getDerivedStateFromProps({ resetKey }: Props, { key }: State): Partial<State> | null {
    return key === resetKey ? null : { key: resetKey, isBroken: false, error: undefined };
  }

  override render(): ReactNode {
    return this.state.isBroken ? (
      <Broken error={this.state.error} onRetry={() => this.setState({ isBroken: false, error: undefined })} />
    ) : (
      this.props.children
    );
  }
}

export function Broken({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) {
  const t = useAppTexts();
  return (
    <Page>
      <PageHeader title={t("broken.title")} />
      <Refusal error={error} />
      <div>
        <Button onClick={onRetry}>{t("broken.again")}</Button>
      </div>
    </Page>
  );
}
