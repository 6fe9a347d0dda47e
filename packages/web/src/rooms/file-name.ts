/**
 * Names of files as people send them, made safe to be saved under.
 *
 * Invariant: the name on the disk says what the reader saw: no folders, no invisible characters, no tricks with the writing direction that would show
 * `exe.txt` for a program; never empty and never hidden.
 */
const nameMax = 120;

export function safeFileName(name: string | undefined, fallback: string): string {
  const plain = (name ?? "")
    .normalize("NFC")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, "")
    .replaceAll(/[/\\:*?"<>|]/g, "_")
    .trim()
    .replace(/^\.+/, "_");
  if (plain === "") return fallback;
  if ([...plain].length <= nameMax) return plain;
  const end = /\.[\p{L}\p{N}]{1,10}$/u.exec(plain)?.[0] ?? "";
  return `${[...plain].slice(0, nameMax - end.length).join("")}${end}`;
}
