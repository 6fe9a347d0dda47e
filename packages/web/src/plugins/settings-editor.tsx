/**
 * Edits settings by a form that is made from their schema, or as JSON.
 *
 * Invariant: both ways edit one copy and are judged by the same rules, in the browser for help and by the hub for good; what somebody typed survives
 * news from the server and refusals.
 */
import { isAppError } from "@althing/contract";
import { lazy, Suspense, useMemo, useState, type ReactNode } from "react";
import { Actions, Button, Card, Refusal, Skeleton, TextArea } from "../ui/index.ts";
import type { Settings } from "./settings-form.tsx";
import { faultWords } from "./setting-words.ts";
import { useSettingTexts } from "./setting-texts.ts";
import { errorTree, judgeSettings } from "./settings-validator.ts";

const SettingsForm = lazy(() => import("./settings-form.tsx").then(({ SettingsForm: component }) => ({ default: component })));

export interface SettingsEditorProps {
  /** JSON Schema. */
  readonly schema: Settings;
  readonly value: Settings;
  readonly isReadOnly: boolean;
  readonly busy: boolean;
  readonly error: unknown;
  readonly onSave: (value: Settings) => void;
}

const isSame = (a: Settings, b: Settings): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
}

type Fault = { readonly path: string; readonly message: string };

function serverFaults(error: unknown): readonly Fault[] {
  return isAppError(error) ? error.faults.map(({ path, message }) => ({ path: path.replace(/^(?:body\.)?settings\./, ""), message })) : [];
}

export function SettingsEditor(props: SettingsEditorProps) {
  const { value, busy, error } = props;
  const t = useSettingTexts();
  const [mode, setMode] = useState<"form" | "json">("form");
  const [base, setBase] = useState(value);
  const [draft, setDraft] = useState(value);
  const [isSent, setIsSent] = useState(false);
  const faults = useMemo(() => serverFaults(error), [error]);
  const isTyped = !isSame(draft, base);
  const isNews = !isSame(base, value);
  const take = () => {
    setBase(value);
    setDraft(value);
  };
  const isDone = isSent && !busy && (error === undefined || error === null);
  // News that nobody's typing stands against; or one's own settings come back, with what the hub filled in.
  if (isNews && (!isTyped || isDone || isSame(draft, value))) {
    take();
    setIsSent(false);
  }
  const save = (settings: Settings) => {
    setIsSent(true);
    props.onSave(settings);
  };
  const Mode = mode === "form" ? FormMode : JsonMode;
  return (
    <div className="grid gap-4">
      <div role="group" aria-label={t("formOrJson")} className="flex flex-wrap gap-2">
        {(["form", "json"] as const).map((one) => (
          <Button key={one} tone={mode === one ? "primary" : "quiet"} aria-pressed={mode === one} onClick={() => setMode(one)}>
            {t(one === "form" ? "asForm" : "asJson")}
          </Button>
        ))}
      </div>
      {isNews && isTyped && !busy && (
        <Card tone="note">
          <p role="alert">{t("changedMeanwhile")}</p>
          <Button tone="plain" onClick={take}>
            {t("takeTheirs")}
          </Button>
        </Card>
      )}
      <Mode
        key={JSON.stringify(base)}
        {...props}
        onSave={save}
        draft={draft}
        faults={faults}
        isTyped={isTyped}
        onDraft={setDraft}
        onTake={take}
        onJson={() => setMode("json")}
      />
    </div>
  );
}

interface ModeProps extends SettingsEditorProps {
  readonly draft: Settings;
  /** The hub's. */
  readonly faults: readonly Fault[];
  readonly isTyped: boolean;
  readonly onDraft: (value: Settings) => void;
  readonly onTake: () => void;
  readonly onJson: () => void;
}

function FormMode({ schema, draft, faults, isReadOnly, onDraft, onSave, onJson, ...rest }: ModeProps) {
  const [count, setCount] = useState(0);
  const serverErrors = useMemo(() => errorTree(faults), [faults]);
  return (
    <Suspense fallback={<Skeleton rows={3} />}>
      <SettingsForm
        schema={schema}
        value={draft}
        isReadOnly={isReadOnly}
        serverErrors={serverErrors}
        onChange={onDraft}
        onSubmit={onSave}
        onFaults={setCount}
        onJson={onJson}
      >
        <SaveRow {...rest} isReadOnly={isReadOnly} count={count} />
      </SettingsForm>
    </Suspense>
  );
}

function JsonMode({ schema, draft, faults, isReadOnly, onDraft, onSave, isTyped, ...rest }: ModeProps) {
  const t = useSettingTexts();
  const [text, setText] = useState(() => JSON.stringify(draft, null, 2));
  const [found, setFound] = useState<readonly Fault[]>([]);
  const shown = found.length > 0 ? found : faults;
  const read = (): Settings | undefined => {
    const parsed = parse(text, t("notObject"), (detail) => t("notJson", { detail }));
    if ("fault" in parsed) {
      setFound([{ path: "", message: parsed.fault }]);
      return undefined;
    }
    const local = judgeSettings(schema, parsed.value).map((fault) => ({ path: fault.path, message: faultWords(fault) }));
    setFound(local);
    return local.length === 0 ? parsed.value : undefined;
  };
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const value = read();
        if (value !== undefined) onSave(value);
      }}
    >
      <TextArea
        label={t("json")}
        hint={t("jsonHint")}
        rows={12}
        className="font-mono"
        spellCheck={false}
        disabled={isReadOnly}
        value={text}
        fault={shown.length === 0 ? undefined : shown.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join(" ")}
        onChange={(event) => {
          setText(event.target.value);
          const parsed = parse(event.target.value, "", () => "");
          if (!("fault" in parsed)) onDraft(parsed.value);
        }}
      />
      <SaveRow
        {...rest}
        isReadOnly={isReadOnly}
        count={0}
        isTyped={isTyped || text !== JSON.stringify(draft, null, 2)}
        onTake={() => {
          rest.onTake();
          setText(JSON.stringify(rest.value, null, 2));
          setFound([]);
        }}
      />
    </form>
  );
}

function parse(
  text: string,
  notObject: string,
  notJson: (detail: string) => string,
): { readonly value: Settings } | { readonly fault: string } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { value: { ...value } } : { fault: notObject };
  } catch (error) {
    return { fault: notJson(error instanceof Error ? error.message : "") };
  }
}

type SaveRowProps = Pick<ModeProps, "busy" | "error" | "isReadOnly" | "isTyped" | "onTake"> & {
  readonly count: number;
  readonly children?: ReactNode;
};

function SaveRow({ busy, error, isReadOnly, isTyped, count, onTake }: SaveRowProps) {
  const t = useSettingTexts();
  if (isReadOnly) return null;
  return (
    <div className="mt-5 grid gap-3">
      {count > 0 && (
        <p role="alert" className="font-semibold text-bad">
          {t("found", { count })}
        </p>
      )}
      {error !== undefined && error !== null && <Refusal error={error} />}
      <p role="status" className="text-sm text-soft">
        {t(isTyped ? "unsaved" : "nothingChanged")}
      </p>
      <Actions>
        <Button type="submit" busy={busy} disabled={!isTyped}>
          {t("save")}
        </Button>
        {isTyped && (
          <Button tone="plain" onClick={onTake}>
            {t("putBack")}
          </Button>
        )}
      </Actions>
    </div>
  );
}
