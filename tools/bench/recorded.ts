import { readFileSync } from "node:fs"
import { join } from "node:path"

/** References that take the interpreter minutes: `node record_references.ts` makes them. */
export const recordedFile = join(import.meta.dirname, "references.json")

export const recorded = (name: string): ReadonlyArray<number> => {
  const all = JSON.parse(readFileSync(recordedFile, "utf8")) as Record<string, Array<number>>
  return all[name]
}
