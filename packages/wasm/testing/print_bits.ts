// Prints what random graphs and a training run come to, bit for bit: for a process of its own.
import { Effect } from "effect"
import { bits } from "./bits.ts"

const [threads, seed, count] = process.argv.slice(2).map(Number)
const lines = await Effect.runPromise(bits({ threads, seed, count }))
// A device that nobody closes must not keep the process waiting.
process.stdout.write(`${lines.join("\n")}\n`)
