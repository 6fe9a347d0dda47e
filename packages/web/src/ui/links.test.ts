import { describe, expect, test } from "vitest";
import { splitLinks } from "./links.ts";

const links = (text: string) => splitLinks(text).filter(({ href }) => href !== undefined);
const hrefs = (text: string) => links(text).map(({ href }) => href);

describe("addresses in what people wrote", () => {
  test("nothing is lost and nothing added: the parts are the text", () => {
    for (const text of [
      "",
      "no address",
      "https://a.example",
      "see https://a.example, (https://b.example/x_(y)) and http://c.example/?q=1#z!",
      "https://a.example\u202egnp.exe",
      "https:// http://",
      "😀https://a.example😀",
      "https://a.example\nhttps://b.example",
    ])
      expect(
        splitLinks(text)
          .map(({ text: part }) => part)
          .join(""),
      ).toBe(text);
  });

  test("the end of a sentence is not part of an address, and a bracket only if it was opened in it", () => {
    expect(hrefs("Look at https://a.example/b. Or (https://a.example/c), https://a.example/d_(e)? [https://a.example/f]!")).toEqual([
      "https://a.example/b",
      "https://a.example/c",
      "https://a.example/d_(e)",
      "https://a.example/f",
    ]);
    expect(hrefs("「https://a.example/x」。")).toEqual(["https://a.example/x"]);
    expect(hrefs("https://a.example/a/?x=1&y=2#p")).toEqual(["https://a.example/a/?x=1&y=2#p"]);
  });

  test.each([
    "javascript:alert(1)",
    "javascript://https/%0aalert(1)",
    "data:text/html,<script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https//x",
    "ftp://a.example",
    "//a.example",
    "a.example",
    "www.a.example",
    "mailto:a@b.example",
    "https:a.example",
    "https:/a.example",
    "https:///a.example",
    "https://",
    "https://?x",
    "https://#x",
    "https://[::g]/",
    "https://a.example:99999/",
    "http://%",
    "http://a%00b.example/",
  ])("%s is no link", (text) => {
    expect(links(text)).toEqual([]);
  });

  test("an address inside a word, a path or another address is not cut out of it", () => {
    expect(links("xhttps://a.example")).toEqual([]);
    expect(links("foo+https://a.example web+https://b.example")).toEqual([]);
    expect(hrefs("https://a.example/?to=https://b.example")).toEqual(["https://a.example/?to=https://b.example"]);
  });

  test("nobody is led to another machine by a name and a password before it", () => {
    for (const text of [
      "https://bank.example@evil.example",
      "https://bank.example:443@evil.example/",
      "https://bank.example%40evil.example",
      "https://bank.example＠evil.example",
      "https://@evil.example",
      "https://:@evil.example",
    ])
      expect(links(text), text).toEqual([]);
    // What comes after a path is a path.
    expect(hrefs("https://a.example/@b.example")).toEqual(["https://a.example/@b.example"]);
    expect(hrefs("https://a.example\\@evil.example")).toEqual(["https://a.example/"]);
  });

  test("marks that turn the writing direction or are not seen end an address", () => {
    for (const mark of ["\u202e", "\u2066", "\u200f", "\u200b", "\u2060", "\u00ad", "\ufeff", "\u0000", "\u007f", "\u3164"])
      expect(links(`https://a.example/${mark}gnp.exe`), JSON.stringify(mark)).toEqual([
        { text: "https://a.example/", href: "https://a.example/" },
      ]);
  });

  test("a plain name stands as it is, however it is written", () => {
    for (const text of [
      "https://a.example",
      "HTTPS://A.Example/B",
      "http://a.example:8080/x",
      "http://localhost:5173/",
      "http://192.0.2.1/",
      `http://${"[2001:db8::1]"}/`,
    ])
      expect(links(text)[0], text).toEqual({ text, href: new URL(text).href });
    expect(links("https://münchen.example/straße")[0]?.host).toBeUndefined();
    expect(links("https://Łódź.example")[0]?.host).toBeUndefined();
    // Its true name is what it reads as.
    expect(links("https://xn--pple-43d.example")[0]?.host).toBeUndefined();
  });

  test.each([
    ["https://аpple.example", "xn--pple-43d.example"],
    ["https://аррӏе.example", "xn--80ak6aa92e.example"],
    ["https://ɡoogle.example", "xn--oogle-qmc.example"],
    ["https://例え.example", "xn--r8jz45g.example"],
    ["https://ｅvil.example", "evil.example"],
    ["https://%65vil.example", "evil.example"],
    ["https://a。example", "a.example"],
    ["http://2130706433/", "127.0.0.1"],
    [`http://${"0x7f.1"}/`, "127.0.0.1"],
    [`http://${"127.1"}/`, "127.0.0.1"],
    ["https://exampleı.example", "xn--example-xfb.example"],
  ])("%s says its true name", (text, host) => {
    expect(links(text)[0]?.host).toBe(host);
  });

  test("what is too long or too much stays text, and a long text takes no long time", () => {
    expect(links(`https://a.example/${"x".repeat(3_000)}`)).toEqual([]);
    expect(links("https://a.example ".repeat(500)).length).toBe(200);
    const begun = performance.now();
    for (const text of [
      "https://".repeat(12_000),
      `https://a.example/${")".repeat(100_000)}`,
      "(".repeat(50_000) + "https://a.example" + ")".repeat(50_000),
    ])
      splitLinks(text);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
