/** Hands the reader a file that was made in the page. Nothing is sent: the link leads to memory of this page and is gone at once. */
export function saveFile(name: string, text: string | Uint8Array<ArrayBuffer>, type = "text/plain;charset=utf-8"): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has taken the address up by then; it reads the memory behind it for as long as it needs.
  setTimeout(() => URL.revokeObjectURL(address), 1_000);
}
