/** Keys that must be kept apart whatever the back end makes of them, and keys that must be refused. */
import type { Key } from "../src/index.ts";

export const hostileKeys: Key[] = [
  ["a"],
  ["a", "b"],
  ["a", "b", "c"],
  ["a.b"],
  ["a.b", "c"],
  ["ab"],
  ["a "],
  [" "],
  [" a"],
  [">"],
  ["*"],
  ["a", ">"],
  ["a", "*"],
  ["$JS.API.STREAM.DELETE.x"],
  ["_INBOX"],
  ["="],
  ["=="],
  ["=41"],
  ["A"],
  ["/"],
  ["../../etc/passwd"],
  ["\r\nPUB x 1"],
  ["\t"],
  ["\u0001"],
  ["\u007f"],
  ["%00"],
  ["'; DROP TABLE records; --"],
  ["__proto__"],
  ["constructor", "prototype"],
  ["hasOwnProperty"],
  ["é"],
  ["e\u0301"],
  ["\ue000"],
  ["\uffff"],
  ["😀"],
  ["😀", "👩\u200d👩\u200d👧"],
  ["\u202egnp.exe"],
  ["x".repeat(255)],
  ["😀".repeat(63)],
  [
    "long",
    ..."x"
      .repeat(15)
      .split("")
      .map((c) => c.repeat(255)),
  ] as unknown as Key,
  [
    "long",
    ..."."
      .repeat(15)
      .split("")
      .map((c) => c.repeat(255)),
  ] as unknown as Key,
];

export const refusedKeys: unknown[] = [
  [],
  [""],
  ["a", ""],
  ["\0"],
  ["a\0b"],
  ["\ud800"],
  ["x".repeat(256)],
  ["😀".repeat(64)],
  Array.from({ length: 17 }, () => "a"),
  [1],
  [null],
  "a",
  undefined,
  [["a"]],
];
