/** Gives a text to the reader as a file, without the server. */

/** @param name as the file is proposed to be called */
export function saveFile(name: string, text: string, type = "text/plain"): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The download has begun; browsers keep what they need of it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A name for a file from a title: letters and digits of any script, short. */
export function fileName(title: string, ending: string): string {
  const base = [
    ...title
      .normalize("NFKC")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
      .replaceAll(/^-+|-+$/g, ""),
  ]
    .slice(0, 40)
    .join("");
  return `${base === "" ? "vote" : base}-${ending}`;
}
