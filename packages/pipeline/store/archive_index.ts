import { Schema } from "effect"
import { isRunName } from "./names.ts"

/** The first member of an archive; it lists all others. */
export const indexName = "index.json"

/** The most bytes that are taken for a file that is read as a whole. */
export const mostTextBytes = 64 * 2 ** 20

/** One member: its size, and the SHA-256 of its content. */
export const Member = Schema.Struct({ bytes: Schema.Int, sha256: Schema.String })

export type Member = typeof Member.Type

/** What the first member of an archive says. */
export const ArchiveIndex = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal("espalier runs"),
    version: Schema.Literal(1),
    members: Schema.Record(Schema.String, Member),
  }),
)

/** What a member is, which its name tells: the place in a store that it has there too. */
export type MemberPlace =
  | { readonly kind: "objects" | "entries"; readonly hash: string }
  | { readonly kind: "runs"; readonly run: string; readonly file: string }

/** What a name stands for; nothing where no member may have it, as with one that leads elsewhere. */
export const memberPlace = (name: string): MemberPlace | undefined => {
  const hashed =
    /^(objects)\/([0-9a-f]{2})\/([0-9a-f]{62})$/.exec(name) ??
    /^(entries)\/([0-9a-f]{2})\/([0-9a-f]{62})\.json$/.exec(name)
  if (hashed !== null) {
    const [, kind, start, rest] = hashed
    return { kind: kind === "objects" ? "objects" : "entries", hash: start + rest }
  }
  const [kind, run, file, ...more] = name.split("/")
  return kind === "runs" && isRunName(run) && isRunName(file ?? "") && more.length === 0
    ? { kind, run, file }
    : undefined
}

/** The name of a member. */
export const memberName = (place: MemberPlace): string =>
  place.kind === "runs"
    ? `runs/${place.run}/${place.file}`
    : `${place.kind}/${place.hash.slice(0, 2)}/${place.hash.slice(2)}${place.kind === "entries" ? ".json" : ""}`
