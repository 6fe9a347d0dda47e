/** The form of a schema, loaded when somebody opens it. */
import type { ErrorSchema, RJSFSchema } from "@rjsf/utils";
import { useRef, type ReactNode } from "react";
import { JsonWayContext, SchemaForm } from "./form-theme.tsx";
import { settingsValidator } from "./setting-words.ts";

export type Settings = Readonly<Record<string, unknown>>;

export interface SettingsFormProps {
  readonly schema: RJSFSchema;
  readonly value: Settings;
  readonly isReadOnly: boolean;
  /** What the hub said, by field. */
  readonly serverErrors: ErrorSchema;
  readonly onChange: (value: Settings) => void;
  readonly onSubmit: (value: Settings) => void;
  readonly onFaults: (count: number) => void;
  /** What no form can be made of is edited as JSON. */
  readonly onJson: () => void;
  /** Buttons. */
  readonly children: ReactNode;
}

const asSettings = (value: unknown): Settings => (typeof value === "object" && value !== null ? { ...value } : {});

export function SettingsForm({
  schema,
  value,
  isReadOnly,
  serverErrors,
  onChange,
  onSubmit,
  onFaults,
  onJson,
  children,
}: SettingsFormProps) {
  const place = useRef<HTMLDivElement>(null);
  return (
    <div ref={place}>
      <JsonWayContext value={onJson}>
        <SchemaForm
          schema={schema}
          validator={settingsValidator}
          formData={value}
          extraErrors={serverErrors}
          disabled={isReadOnly}
          noHtml5Validate
          showErrorList={false}
          // The hub fills in defaults; a form that did so too would put back what somebody just took out.
          experimental_defaultFormStateBehavior={{ emptyObjectFields: "skipDefaults", arrayMinItems: { populate: "never" } }}
          onChange={({ formData }) => onChange(asSettings(formData))}
          onSubmit={({ formData }) => {
            onFaults(0);
            onSubmit(asSettings(formData));
          }}
          onError={(errors) => {
            onFaults(errors.length);
            // When the faults are there.
            requestAnimationFrame(() => place.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
          }}
        >
          {children}
        </SchemaForm>
      </JsonWayContext>
    </div>
  );
}
