/** Parts that every screen is made of. */
export { Button, LinkButton, Spinner, type ButtonProps, type ButtonTone } from "./button.tsx";
export { classNames } from "./class-names.ts";
export { ConfirmDialog, Dialog, type ConfirmDialogProps } from "./dialog.tsx";
export { CheckField, ChoiceField, SelectField, TextArea, TextField, type Option } from "./field.tsx";
export { keepFocus } from "./kept-focus.ts";
export { Actions, Card, Facts, Page, PageHeader, Section } from "./layout.tsx";
export { LinkedText } from "./linked-text.tsx";
export { ListState, PageTabs, SearchField, Table, type Column } from "./list.tsx";
export { CopyButton, Person, Time } from "./person.tsx";
export { Refusal } from "./refusal.tsx";
export { watchForms } from "./refusal-focus.ts";
export { saveFile } from "./save-file.ts";
export { Badge, EmptyState, Meter, Progress, Skeleton, type Tone } from "./status.tsx";
export { Advice, loadAdvice, useAdvice, useRefusalLine } from "./use-advice.ts";
export { ToastPlace, useToast, type Toast } from "./toasts.tsx";
export { Told } from "./told.tsx";
