/**
 * Loaded into a hub before its program: kills it, as kill -9 does, in the commit of a chosen record.
 *
 * The file that DIE_AT_COMMIT names holds, while a test wants it, JSON of `text` and `when`. The first transaction that writes a value with that text is the one:
 * `before` its COMMIT, or right `after` it, when it is on the disk and nobody was told. Nothing of the product knows of this.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import Database from "better-sqlite3-multiple-ciphers";

interface Statement {
  readonly source: string;
  run(this: Statement, ...values: unknown[]): unknown;
}

const file = process.env["DIE_AT_COMMIT"] ?? "";
const statement: Statement = Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1"));
const { run } = statement;
let isChosen = false;

function die(): void {
  rmSync(file);
  process.kill(process.pid, "SIGKILL");
}

statement.run = function (...values) {
  const wish: { text: string; when: string } | undefined = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  if (wish === undefined) return run.apply(this, values);
  if (values.some((value) => typeof value === "string" && value.includes(wish.text))) isChosen = true;
  const isCommit = this.source === "COMMIT";
  if (isChosen && isCommit && wish.when === "before") die();
  const result = run.apply(this, values);
  if (isChosen && isCommit) die();
  return result;
};
