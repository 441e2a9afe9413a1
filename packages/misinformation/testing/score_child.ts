// Scores a file against itself and says what memory that took: argument 1 is the file.
import { NodeFileSystem } from "@effect/platform-node"
import { Effect } from "effect"
import { scoreFiles } from "../score_files.ts"

const file = process.argv[2]
const { items } = await scoreFiles({ predictions: file, gold: file }).pipe(
  Effect.provide(NodeFileSystem.layer),
  Effect.runPromise,
)
const { maxRSS } = process.resourceUsage()
console.log(JSON.stringify({ items, peakMiB: maxRSS / 1024 }))
