import { describe, expect, test } from "vitest";
import { invitationLink, joinLink, readPasted } from "./invitation-link.ts";

const origin = "https://garden.example";
const token = "A".repeat(42) + "_";

describe("what people paste", () => {
  test.for([
    ["the token alone", token, undefined],
    ["with spaces around", `  ${token}\n`, undefined],
    ["a join link", joinLink(origin, token), "join"],
    ["a link to a community", invitationLink(origin, token), "invitation"],
    ["the claim link of a start", `${origin}/claim#token=${token}`, "claim"],
    ["the end of a link", `#invitation=${token}`, "invitation"],
    ["without the sign", `join=${token}`, "join"],
  ] as const)("%s", ([, text, kind]) => {
    expect(readPasted(text, origin)).toEqual({ state: "token", kind, token });
  });

  test("a link of another instance is told apart, and its token is not taken", () => {
    expect(readPasted(joinLink("https://other.example", token), origin)).toEqual({ state: "elsewhere", host: "other.example" });
    expect(readPasted(joinLink("http://127.0.0.1:8471", token), "http://127.0.0.1:8470")).toEqual({
      state: "elsewhere",
      host: "127.0.0.1:8471",
    });
  });

  test("this machine under its other names is this machine", () => {
    expect(readPasted(joinLink("http://localhost:8470", token), "http://127.0.0.1:8470")).toMatchObject({ state: "token" });
  });

  test.for(["", "hello", `${origin}/`, `${origin}/#join=short`, `#other=${token}`, "javascript:alert(1)#", `${token}x`])(
    "%j is no token",
    (text) => {
      expect(readPasted(text, origin)).toEqual({ state: "none" });
    },
  );
});
