/**
 * Options of a proposal: added, taken out, put in order by buttons or by dragging.
 *
 * Invariant: an option keeps its id through all of it, so that a ballot or a difference knows it again; Enter goes on to the next line.
 */
import { limits } from "@althing/contract";
import { useRef, useState } from "react";
import { DragHandle, MoveButtons } from "../ballots/move-buttons.tsx";
import { moved } from "../ballots/rank-order.ts";
import { useDragOrder } from "../ballots/use-drag-order.ts";
import { useKeptFocus } from "../ballots/use-kept-focus.ts";
import { Button, classNames, TextField } from "../ui/index.ts";
import { useEditorTexts } from "./editor-texts.ts";
import { optionDraft, type OptionDraft } from "./text-draft.ts";

interface Props {
  readonly options: readonly OptionDraft[];
  readonly fault: string | undefined;
  readonly onChange: (options: readonly OptionDraft[]) => void;
}

export function OptionsEditor({ options, fault, onChange }: Props) {
  const t = useEditorTexts();
  const [told, setTold] = useState("");
  const addButton = useRef<HTMLDivElement>(null);
  const drag = useDragOrder((from, to) => move(from, to));
  const keep = useKeptFocus(drag.listRef);
  const move = (from: number, to: number, button?: string) => {
    if (button !== undefined) keep(button);
    onChange(moved(options, from, to));
    setTold(t("optionMoved", { number: to + 1 }));
  };
  const add = () => {
    if (options.length >= limits.proposalOptionsMax) return;
    onChange([...options, optionDraft()]);
    // The new line takes the focus when it is there.
    requestAnimationFrame(() => [...(drag.listRef.current?.querySelectorAll("input") ?? [])].at(-1)?.focus());
  };
  const remove = (key: string) => {
    onChange(options.filter((option) => option.key !== key));
    addButton.current?.querySelector("button")?.focus();
  };
  return (
    <fieldset className="grid gap-3">
      <legend className="font-semibold">{t("optionsPart")}</legend>
      <p className="text-sm text-soft">{t("optionsLead")}</p>
      <p role="status" className="sr-only">
        {told}
      </p>
      <ol ref={drag.listRef} className="grid gap-2">
        {options.map((option, at) => (
          <li
            key={option.key}
            className={classNames(
              "flex flex-wrap items-center gap-2 rounded-lg",
              drag.over === at && drag.from !== at && "bg-accent-tint",
              drag.from === at && "opacity-60",
            )}
          >
            <DragHandle drag={drag} index={at} />
            <TextField
              className="min-w-0 grow basis-52"
              label={t("option", { number: at + 1 })}
              hideLabel
              placeholder={t("option", { number: at + 1 })}
              dir="auto"
              maxLength={limits.proposalOptionMaxChars}
              value={option.text}
              onChange={({ target: { value } }) => onChange(options.map((one) => (one.key === option.key ? { ...one, text: value } : one)))}
              onKeyDown={(event) => {
                if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
                event.preventDefault();
                add();
              }}
            />
            <MoveButtons
              labels={{
                up: t("optionUp", { number: at + 1 }),
                down: t("optionDown", { number: at + 1 }),
                drop: t("removeOption", { number: at + 1 }),
              }}
              isFirst={at === 0}
              isLast={at === options.length - 1}
              entry={option.key}
              onStep={(by) => move(at, at + by, `${option.key} ${by === -1 ? "up" : "down"}`)}
              onDrop={() => remove(option.key)}
            />
          </li>
        ))}
      </ol>
      {fault !== undefined && <p className="text-sm font-semibold text-bad">{fault}</p>}
      <div ref={addButton}>
        {options.length < limits.proposalOptionsMax ? (
          <Button tone="quiet" onClick={add}>
            {t("addOption")}
          </Button>
        ) : (
          <p className="text-soft">{t("optionsMax")}</p>
        )}
      </div>
    </fieldset>
  );
}
