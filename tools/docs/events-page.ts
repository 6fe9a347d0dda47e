/**
 * The page of public events, made of the catalogue of topics.
 *
 * Invariant: what a topic carries is read from the schema it is checked by, so a field cannot be there and not on the page.
 */
import { eventTopics, type TopicRow } from "@althing/contract";
import { code, page, table } from "./markdown.ts";

type DataSchema = ReturnType<TopicRow["data"]["toJSONSchema"]>;
type FieldSchema = NonNullable<DataSchema["properties"]>[string];

function typeOf(schema: FieldSchema): string {
  if (typeof schema === "boolean") return "any";
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(" or ");
  if (schema.type === "array")
    return `list of ${schema.items === undefined || Array.isArray(schema.items) ? "values" : typeOf(schema.items)}`;
  if (schema.format === "date-time") return "time";
  return typeof schema.type === "string" ? schema.type : "any";
}

function fieldsOf({ data, personal }: TopicRow): string {
  const { properties = {}, required = [] } = data.toJSONSchema({ io: "output", unrepresentable: "any" });
  const fields = Object.entries(properties).map(([name, schema]) => {
    const kind = personal.includes(name) ? "a person" : typeOf(schema);
    return `${code(name)}: ${kind}${required.includes(name) ? "" : " (optional)"}`;
  });
  return fields.join("; ") || "–";
}

export function eventsPage(topics: Readonly<Record<string, TopicRow>> = eventTopics): string {
  const groups = new Map<string, [string, TopicRow][]>();
  for (const entry of Object.entries(topics)) {
    const area = entry[0].split(".")[0] ?? "";
    groups.set(area, [...(groups.get(area) ?? []), entry]);
  }
  const parts = [...groups].map(
    ([area, rows]) =>
      `## ${area}\n\n${table(
        ["Topic", "Tells", "Data"],
        rows.map(([topic, row]) => [code(topic), row.tells, fieldsOf(row)]),
      )}`,
  );
  const introduction =
    "What the public log of a community tells, by topic. Every event has an actor as well: a member, an extension or the system. " +
    "The actor and the fields marked as a person can be erased. One asks for a topic or, with `proposal.*`, for all below a prefix; " +
    "topics of extensions are `ext.<extension id>.<name>`. How events are written, read and verified: " +
    "[the public log](../architecture/events.md).";
  return page("Public events", introduction, ...parts);
}
