/** Words of OpenSSH 9.2 and rsync 3.2 and 3.5, as a real sshd made them say: each names the machine, what was seen and what to do, under a code of its own. */
import { expect, test } from "vitest";
import { failureOf } from "./far-failure.ts";
import type { RunStep } from "./steps.ts";

const step = (program: RunStep["program"]): RunStep => ({
  ...{ kind: "run", node: "n2", host: "root@n2.garden.lan", what: "copy the unit", program, args: [] },
});
const closing = "rsync: connection unexpectedly closed (0 bytes received so far) [sender]\nrsync error: ";

test.each<[string, RunStep["program"], number, string, string, string]>([
  ["an unknown host key", "ssh", 255, "Host key verification failed.", "cluster.host_key", "Host key verification failed"],
  [
    ...(["a host key that is another than before, in a copy", "rsync", 255] as const),
    `@@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@@@@\nHost key verification failed.\n${closing}unexplained error (code 255) at io.c(231) [sender=3.2.7]`,
    ...(["cluster.host_key", "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"] as const),
  ],
  [
    ...(["a wrong key", "ssh", 255, "root@n2.garden.lan: Permission denied (publickey,keyboard-interactive)."] as const),
    ...(["cluster.login_refused", "root@n2.garden.lan: Permission denied (publickey,keyboard-interactive)"] as const),
  ],
  [
    ...([
      "a name that nobody knows",
      "ssh",
      255,
      "ssh: Could not resolve hostname n9.garden.lan: Temporary failure in name resolution",
    ] as const),
    ...(["cluster.host_unreachable", "ssh: Could not resolve hostname n9.garden.lan: Temporary failure in name resolution"] as const),
  ],
  [
    ...(["a machine that is silent, in a copy", "rsync", 255] as const),
    `ssh: connect to host n2.garden.lan port 22: Connection timed out\n${closing}unexplained error (code 255) at io.c(231) [sender=3.2.7]`,
    ...(["cluster.host_unreachable", "ssh: connect to host n2.garden.lan port 22: Connection timed out"] as const),
  ],
  [
    ...(["a connection that died in a copy", "rsync", 255] as const),
    `Timeout, server n2.garden.lan not responding.\n${closing}unexplained error (code 255) at io.c(231) [sender=3.2.7]`,
    ...(["cluster.connection_lost", "Timeout, server n2.garden.lan not responding"] as const),
  ],
  ["a connection that ended without a word", "ssh", 255, "", "cluster.connection_lost", "ssh ended with 255"],
  [
    ...([
      "a copy in which nothing moves",
      "rsync",
      30,
      "rsync error: timeout in data send/receive (code 30) at io.c(200) [sender=3.2.7]",
    ] as const),
    ...(["cluster.connection_lost", "rsync error: timeout in data send/receive (code 30) at io.c(200) [sender=3.2.7]"] as const),
  ],
  [
    ...(["no rsync there", "rsync", 12] as const),
    `bash: line 1: rsync: command not found\n${closing}error in rsync protocol data stream (code 12) at io.c(285) [sender=3.5.0]`,
    ...(["cluster.program_missing", "bash: line 1: rsync: command not found"] as const),
  ],
  ["a program that the look misses", "ssh", 127, "sha256sum: command not found", "cluster.program_missing", "sha256sum: command not found"],
  [
    ...(["a full disk", "rsync", 11] as const),
    `rsync: [receiver] write failed on "/opt/althing/x": No space left on device (28)\nrsync error: error in file IO (code 11) at receiver.c(381) [receiver=3.2.7]`,
    ...(["cluster.step_failed", `rsync: [receiver] write failed on "/opt/althing/x": No space left on device (28)`] as const),
  ],
  [
    "the command's own refusal",
    "ssh",
    1,
    "mkdir: cannot create directory: Permission denied",
    "cluster.step_failed",
    "mkdir: cannot create directory: Permission denied",
  ],
])("%s", (_, program, code, detail, expected, words) => {
  const failure = failureOf(step(program), { code, detail });
  expect(failure).toMatchObject({ code: expected, params: { node: "n2", step: "copy the unit", detail: words } });
  expect(failure.message).toContain(words);
  if (expected !== "cluster.step_failed") expect(failure.message).toContain("root@n2.garden.lan");
});

test("of what this program says there as JSON, a person reads the sentence", () => {
  const detail = '{"error":{"code":"nats.unavailable","message":"The messaging server does not answer: timeout.","fix":"Try again."}}';
  expect(failureOf(step("ssh"), { code: 1, detail }).params["detail"]).toBe("The messaging server does not answer: timeout");
});

test("a program that is missing here is not looked for there", () => {
  expect(failureOf(step("rsync"), { code: undefined, detail: "spawn rsync ENOENT", isMissing: true })).toMatchObject({
    ...{ code: "cluster.program_missing", params: { where: "this machine", detail: "rsync is not on PATH" } },
  });
});
