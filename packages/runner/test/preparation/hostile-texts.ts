/**
 * Texts an attacker would put where a name is expected: JavaScript written for fifteen contexts of generated code. Written for this
 * project after the classes of its kit of hostile components (Apache-2.0).
 */
const attack = "globalThis.PWNED=1";

export const hostileTexts: Readonly<Record<string, string>> = {
  singleQuote: `x');${attack};('`,
  doubleQuote: `x");${attack};("`,
  backtick: "x`;" + attack + ";`",
  template: "${" + attack + "}",
  lineBreak: `x\n${attack}\n`,
  carriageReturn: `x\r${attack}\r`,
  lineSeparator: `x\u2028${attack}\u2028`,
  paragraphSeparator: `x\u2029${attack}`,
  comment: `*/${attack}/*`,
  lineComment: `x//${attack}`,
  backslash: "x\\",
  objectKey: `x': 0}, (${attack}), {'y`,
  destructuring: `x = (${attack})`,
  statement: `x;${attack};`,
  call: `x'),(${attack}),('`,
  markup: `</script><script>${attack}</script>`,
  unicode: "ｘ＇",
  nul: "x\0y",
  space: "x y",
};
