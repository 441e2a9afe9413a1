import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { trainReference } from "./cases/language_model.ts"
import { longAttentionReference } from "./cases/long_attention.ts"
import { solveReferences } from "./cases/sparsegpt.ts"
import { recordedFile } from "./recorded.ts"

// `node --conditions=@espalier/source record_references.ts`: computes in f64, on the interpreter or
// in plain loops, what takes minutes, after a case has changed.

const references: Record<string, () => Promise<ReadonlyArray<number>> | ReadonlyArray<number>> = {
  "lm-train": () => trainReference(false),
  "lm-attention-long": () => longAttentionReference(false),
  ...solveReferences,
}

const known = existsSync(recordedFile)
  ? (JSON.parse(readFileSync(recordedFile, "utf8")) as Record<string, ReadonlyArray<number>>)
  : {}
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(references)
for (const name of wanted) {
  const start = performance.now()
  known[name] = await references[name]()
  console.log(
    `${name}: ${Math.round((performance.now() - start) / 1000)} s, ${known[name].join(" ")}`,
  )
}
writeFileSync(`${recordedFile}.tmp`, `${JSON.stringify(known, undefined, 2)}\n`)
renameSync(`${recordedFile}.tmp`, recordedFile)
