/**
 * The look of forms that are made from a JSON Schema: the parts that every other form here is made of.
 *
 * Invariant: label, hint and fault of a field are tied to it as everywhere else; titles, descriptions and values of a schema are an author's and are shown
 * as text. The library's own themes are not used: they bring markup without labels and classes of other designs.
 */
import type { ThemeProps } from "@rjsf/core";
// By its own file: the index also exports a helper for tests, which needs a validator that makes code.
import withTheme from "@rjsf/core/lib/withTheme.js";
import type {
  ArrayFieldItemTemplateProps,
  ArrayFieldTemplateProps,
  FieldTemplateProps,
  ObjectFieldTemplateProps,
  UnsupportedFieldProps,
  WidgetProps,
} from "@rjsf/utils";
import { asNumber } from "@rjsf/utils";
import { createContext, useContext } from "react";
import { isolated } from "../app/isolate.ts";
import { Button, CheckField, SelectField, TextArea, TextField } from "../ui/index.ts";
import { useSettingTexts } from "./setting-texts.ts";

const longTextFrom = 200;
const inputTypes: Readonly<Record<string, string>> = { date: "date", time: "time", email: "email", uri: "url" };

/** The library calls the entries of a list `Words-1`. */
const entryName = (title: string): string => title.replace(/-(\d+)$/, " $1");

function useFacts({ label, schema, rawErrors, required }: Pick<WidgetProps, "label" | "schema" | "rawErrors" | "required">) {
  const t = useSettingTexts();
  const [fault] = rawErrors ?? [];
  // An entry of a list is there or not; only a field of its own can be needed.
  const isField = !/-\d+$/.test(label);
  const hint = [schema.description, required === true && isField ? t("needed") : undefined]
    .filter((one) => one !== undefined && one !== "")
    .join(" · ");
  return { label: entryName(label), isGiven: true, fault, ...(hint === "" ? {} : { hint: <bdi>{hint}</bdi> }) };
}

function TextWidget(props: WidgetProps) {
  const facts = useFacts(props);
  const { schema, disabled, readonly, onChange, placeholder } = props;
  const value: unknown = props.value;
  const isNumber = schema.type === "number" || schema.type === "integer";
  // Cleared: what has a default keeps its empty text, so that it is judged as it stands; a number is left out and goes back to its default.
  const cleared = isNumber || schema.default === undefined ? undefined : "";
  const read = (text: string) => onChange(text === "" ? cleared : isNumber ? asNumber(text) : text);
  const common = {
    ...facts,
    value: typeof value === "string" || typeof value === "number" ? value : "",
    disabled: disabled === true || readonly === true,
    placeholder: typeof schema.default === "string" || typeof schema.default === "number" ? String(schema.default) : (placeholder ?? ""),
  };
  if (!isNumber && (schema.maxLength ?? 0) > longTextFrom)
    return <TextArea {...common} rows={5} onChange={(event) => read(event.target.value)} />;
  const type = isNumber ? "text" : (inputTypes[schema.format ?? ""] ?? "text");
  return (
    <TextField
      {...common}
      type={type}
      {...(isNumber ? { inputMode: "decimal" as const } : {})}
      autoComplete="off"
      onChange={(event) => read(event.target.value)}
    />
  );
}

function SelectWidget(props: WidgetProps) {
  const t = useSettingTexts();
  const facts = useFacts(props);
  const { disabled, readonly, onChange } = props;
  const value: unknown = props.value;
  const choices = props.options.enumOptions ?? [];
  const at = choices.findIndex((choice) => choice.value === value);
  const options = [{ value: "", label: t("choose") }, ...choices.map((choice, index) => ({ value: String(index), label: choice.label }))];
  return (
    <SelectField
      {...facts}
      options={options}
      value={at < 0 ? "" : String(at)}
      disabled={disabled === true || readonly === true}
      onChange={(event) => onChange(event.target.value === "" ? undefined : choices[Number(event.target.value)]?.value)}
    />
  );
}

function CheckboxWidget(props: WidgetProps) {
  const facts = useFacts({ ...props, required: false });
  const { schema, disabled, readonly, onChange } = props;
  const value: unknown = props.value;
  return (
    <CheckField
      {...facts}
      checked={value === undefined ? schema.default === true : value === true}
      disabled={disabled === true || readonly === true}
      onChange={(event) => onChange(event.target.checked)}
    />
  );
}

function CheckboxesWidget({ label, value, options, disabled, readonly, onChange }: WidgetProps) {
  const chosen: readonly unknown[] = Array.isArray(value) ? value : [];
  const choices = options.enumOptions ?? [];
  return (
    <fieldset className="grid gap-2" disabled={disabled === true || readonly === true}>
      <legend className="mb-1 font-semibold">
        <bdi>{entryName(label)}</bdi>
      </legend>
      {choices.map((choice) => (
        <CheckField
          key={String(choice.value)}
          label={choice.label}
          isGiven
          checked={chosen.includes(choice.value)}
          onChange={(event) =>
            onChange(
              choices
                .filter((one) => (one === choice ? event.target.checked : chosen.includes(one.value)))
                .map((one): unknown => one.value),
            )
          }
        />
      ))}
    </fieldset>
  );
}

/** A field stands by itself: its widget brings label, hint and fault. */
function FieldTemplate({ children, hidden }: FieldTemplateProps) {
  return hidden === true ? <div hidden>{children}</div> : <div className="min-w-0">{children}</div>;
}

function ObjectFieldTemplate({ title, description, properties, fieldPathId }: ObjectFieldTemplateProps) {
  const fields = properties.map((property) => (
    <div key={property.name} className="min-w-0">
      {property.content}
    </div>
  ));
  if (fieldPathId.path.length === 0) return <div className="grid gap-5">{fields}</div>;
  return (
    <fieldset className="grid gap-4 rounded-lg border border-line p-4">
      <legend className="px-1 font-semibold">
        <bdi>{entryName(title)}</bdi>
      </legend>
      {description !== undefined && (
        <p className="text-sm text-soft">
          <bdi>{description}</bdi>
        </p>
      )}
      {fields}
    </fieldset>
  );
}

function ArrayFieldTemplate({ title, schema, items, canAdd, onAddClick, rawErrors, disabled, readonly }: ArrayFieldTemplateProps) {
  const t = useSettingTexts();
  const [fault] = rawErrors ?? [];
  const isDisabled = disabled === true || readonly === true;
  return (
    <fieldset className="grid gap-3 rounded-lg border border-line p-4">
      <legend className="px-1 font-semibold">
        <bdi>{title}</bdi>
      </legend>
      {schema.description !== undefined && (
        <p className="text-sm text-soft">
          <bdi>{schema.description}</bdi>
        </p>
      )}
      {items.length === 0 && <p className="text-sm text-soft">{t("emptyList")}</p>}
      {items}
      {fault !== undefined && <p className="text-sm font-semibold text-bad">{fault}</p>}
      {canAdd === true && (
        <div>
          <Button tone="quiet" disabled={isDisabled} onClick={onAddClick} aria-label={t("addTo", { name: title })}>
            {t("add")}
          </Button>
        </div>
      )}
    </fieldset>
  );
}

function ArrayFieldItemTemplate({ children, buttonsProps, hasToolbar, index, disabled, readonly }: ArrayFieldItemTemplateProps) {
  const t = useSettingTexts();
  const name = t("entry", { number: index + 1 });
  const isDisabled = disabled === true || readonly === true;
  const { hasMoveUp, hasMoveDown, hasRemove, onMoveUpItem, onMoveDownItem, onRemoveItem } = buttonsProps;
  return (
    <div className="grid gap-2 sm:grid-cols-[1fr_auto] sm:items-center">
      <div className="min-w-0">{children}</div>
      {hasToolbar && (
        <div className="flex flex-wrap gap-1">
          {(hasMoveUp || hasMoveDown) && (
            <>
              <Button tone="plain" disabled={isDisabled || !hasMoveUp} onClick={onMoveUpItem} aria-label={t("up", { name })}>
                <span aria-hidden="true">↑</span>
              </Button>
              <Button tone="plain" disabled={isDisabled || !hasMoveDown} onClick={onMoveDownItem} aria-label={t("down", { name })}>
                <span aria-hidden="true">↓</span>
              </Button>
            </>
          )}
          {hasRemove && (
            <Button tone="plain" disabled={isDisabled} onClick={onRemoveItem} aria-label={t("remove", { name })}>
              {t("removeOne")}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

/** Leads to the other way of editing. */
export const JsonWayContext = createContext<() => void>(() => undefined);

/** What no form can be made of: named, with the way that can edit it. Its value stays as it is. */
function UnsupportedFieldTemplate({ schema, fieldPathId }: UnsupportedFieldProps) {
  const t = useSettingTexts();
  const toJson = useContext(JsonWayContext);
  const name = schema.title ?? fieldPathId.path.join(".");
  return (
    <div
      role="group"
      aria-label={isolated(name)}
      className="grid justify-items-start gap-1 rounded-lg border border-dashed border-edge p-4"
    >
      <p className="font-semibold">
        <bdi>{name}</bdi>
      </p>
      {schema.description !== undefined && (
        <p className="text-sm text-soft">
          <bdi>{schema.description}</bdi>
        </p>
      )}
      <p>{t("notInForm")}</p>
      <Button tone="plain" onClick={toJson}>
        {t("notInFormGo")}
      </Button>
    </div>
  );
}

const theme: ThemeProps = {
  widgets: {
    TextWidget,
    TextareaWidget: TextWidget,
    EmailWidget: TextWidget,
    URLWidget: TextWidget,
    DateWidget: TextWidget,
    DateTimeWidget: TextWidget,
    TimeWidget: TextWidget,
    UpDownWidget: TextWidget,
    SelectWidget,
    RadioWidget: SelectWidget,
    CheckboxWidget,
    CheckboxesWidget,
  },
  templates: { FieldTemplate, ObjectFieldTemplate, ArrayFieldTemplate, ArrayFieldItemTemplate, UnsupportedFieldTemplate },
};

export const SchemaForm = withTheme(theme);
