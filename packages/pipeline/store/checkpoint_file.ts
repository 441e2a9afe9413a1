import type { CheckpointFiles } from "@espalier/runtime"
import { Option, Schema } from "effect"
import { sha256 } from "../sha256.ts"

const magic = "ESPALIER CHECKPOINT 1\n"

const Header = Schema.fromJsonString(
  Schema.Struct({
    sha256: Schema.String,
    files: Schema.Array(Schema.Struct({ name: Schema.String, bytes: Schema.Int })),
  }),
)

/** The hash over names, sizes and contents. */
const seal = (files: ReadonlyArray<{ name: string; bytes: number }>, body: Uint8Array): string =>
  sha256(JSON.stringify(files.map(({ name, bytes }) => [name, bytes])) + sha256(body))

/**
 * Packs a checkpoint into one file, so that one rename replaces it whole: a magic line, a line of
 * JSON with the names, sizes and hash, and the contents one after the other.
 */
export const packCheckpoint = (files: CheckpointFiles): Uint8Array => {
  const entries = Object.entries(files)
  const body = new Uint8Array(entries.reduce((sum, [, bytes]) => sum + bytes.length, 0))
  let offset = 0
  for (const [, bytes] of entries) {
    body.set(bytes, offset)
    offset += bytes.length
  }
  const list = entries.map(([name, bytes]) => ({ name, bytes: bytes.length }))
  const header = Schema.encodeSync(Header)({ sha256: seal(list, body), files: list })
  const head = new TextEncoder().encode(`${magic}${header}\n`)
  const packed = new Uint8Array(head.length + body.length)
  packed.set(head)
  packed.set(body, head.length)
  return packed
}

/** Unpacks a checkpoint; none where it is not one or was damaged. */
export const unpackCheckpoint = (packed: Uint8Array): Option.Option<CheckpointFiles> => {
  const end = packed.indexOf(10, magic.length)
  const head = new TextDecoder().decode(packed.subarray(0, Math.max(end, 0)))
  if (end < 0 || !head.startsWith(magic)) return Option.none()
  const header = Schema.decodeUnknownOption(Header)(head.slice(magic.length))
  if (Option.isNone(header)) return Option.none()
  const body = packed.subarray(end + 1)
  const total = header.value.files.reduce((sum, file) => sum + file.bytes, 0)
  if (body.length !== total || seal(header.value.files, body) !== header.value.sha256)
    return Option.none()
  let offset = 0
  const files = header.value.files.map(({ name, bytes }): [string, Uint8Array] => {
    offset += bytes
    return [name, body.slice(offset - bytes, offset)]
  })
  return Option.some(Object.fromEntries(files))
}
