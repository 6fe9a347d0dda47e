/**
 * Which names a component may carry: the primary defence against text of a component becoming JavaScript.
 *
 * The transpiler writes core names into its output unescaped, so a name must be unable to end a string, a template, a comment or
 * a statement, whatever context it lands in. Names of components follow the component model's grammar (Explainer, "Import and
 * export names"), which holds by its alphabet alone; core names have no grammar, so theirs is an allow-list of ASCII characters that
 * real toolchains use. Names are judged as bytes: nothing that is not ASCII is ever decoded.
 */
import { refusePreparation } from "./refusal.ts";

/** Bytes of one core name; names of shared C++ libraries are the longest honest ones. */
export const maxCoreNameBytes = 1024;
/** Bytes of one name of the component model. */
export const maxComponentNameBytes = 256;

/** Letters, digits and the separators of toolchains. No quote, backslash, backtick, brace, parenthesis, space, comma, semicolon, `=`, `*`, `<`, `>`. */
const coreName = /^[A-Za-z0-9_$.\-:/@#[\]|~+]*$/;

const word = "(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)";
const label = `${word}(?:-(?:${word}|[0-9]+[a-z0-9]*))*`;
const resourceFunction = new RegExp(`^(?:\\[constructor\\]${label}|\\[(?:method|static)\\]${label}\\.${label})$`);
const plainLabel = new RegExp(`^${label}$`);
const interfaceName = new RegExp(`^${label}:${label}(?:/${label})+(?:@[0-9]+\\.[0-9]+\\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?)?$`);
/** Names by which a component asks for another one: by hash, address or registry. */
const dependency = /^(?:unlocked-dep|locked-dep|url|relative-url|integrity)=/;

function ascii(bytes: Uint8Array, where: string, rule: "name.core" | "name.component", maxBytes: number): string {
  if (bytes.length > maxBytes) refusePreparation("name.length", `${where} has ${bytes.length} bytes, more than ${maxBytes}`);
  let text = "";
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) refusePreparation(rule, `${where} has the byte 0x${byte.toString(16).padStart(2, "0")}`);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Characters of a refused name by number, so that the text itself does not travel. */
function firstBad(text: string): string {
  const bad = [...text].find((character) => !coreName.test(character));
  return bad === undefined ? "does not follow the grammar" : `has the character 0x${bad.charCodeAt(0).toString(16)}`;
}

/**
 * A name of a core module: import module, import field, export, or the key of an inline core instance.
 * @throws {component.refused} `name.core`, `name.length`, `name.reserved`
 */
export function checkCoreName(bytes: Uint8Array, where: string): string {
  const text = ascii(bytes, where, "name.core", maxCoreNameBytes);
  if (!coreName.test(text)) refusePreparation("name.core", `${where} ${firstBad(text)}`);
  if (text.includes("//")) refusePreparation("name.core", `${where} has two slashes in a row`);
  // As a key of an object literal it sets the prototype.
  if (text === "__proto__") refusePreparation("name.reserved", `${where} is __proto__`);
  return text;
}

/**
 * A name of a component: import, export, instance argument, alias.
 * @throws {component.refused} `name.component`, `name.length`, `name.dependency`
 */
export function checkComponentName(bytes: Uint8Array, where: string): string {
  if (bytes.length > maxComponentNameBytes)
    refusePreparation("name.length", `${where} has ${bytes.length} bytes, more than ${maxComponentNameBytes}`);
  if (dependency.test(Buffer.from(bytes.subarray(0, 16)).toString("latin1")))
    refusePreparation("name.dependency", `${where} asks for another component`);
  const text = ascii(bytes, where, "name.component", maxComponentNameBytes);
  if (!plainLabel.test(text) && !interfaceName.test(text) && !resourceFunction.test(text))
    refusePreparation("name.component", `${where} ${firstBad(text)}`);
  return text;
}

/**
 * A label: field, case, flag, parameter.
 * @throws {component.refused} `name.component`, `name.length`
 */
export function checkLabel(bytes: Uint8Array, where: string): string {
  const text = ascii(bytes, where, "name.component", maxComponentNameBytes);
  if (!plainLabel.test(text)) refusePreparation("name.component", `${where} ${firstBad(text)}`);
  return text;
}

/** `then` makes the instance a thenable, which a promise calls; the others shadow what every object answers. */
const reservedExports: ReadonlySet<string> = new Set(
  ["then", "catch", "finally", "constructor", "prototype", "to-string", "to-locale-string", "value-of", "to-json"].concat([
    "has-own-property",
    "is-prototype-of",
    "property-is-enumerable",
    "default",
    "await",
  ]),
);

/** @throws {component.refused} `export.reserved` when the root component exports a word that JavaScript gives a meaning */
export function checkExportWord(name: string): void {
  if (reservedExports.has(name.toLowerCase())) refusePreparation("export.reserved", `the component exports "${name}"`);
}

/** Names that the transpiler gives to what its own adapter modules import; they never come from a component. */
const adapterName = /^(?:mem\d+ [A-Za-z0-9]+|[a-z0-9-]+ \(mem\d+ => mem\d+\))$/;

/** Whether a name of a core module that the transpiler put out is one the name check lets through, or the transpiler's own. */
export function isExpectedCoreName(name: string): boolean {
  return (coreName.test(name) && !name.includes("//") && name !== "__proto__") || adapterName.test(name);
}
