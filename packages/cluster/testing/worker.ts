// A worker: `node worker.ts CONCURRENCY STORE FINGERPRINT [REMOTE]`, the database in ESPALIER_DATABASE. Says
// each event on a line of its own.
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Redacted } from "effect"
import { fileURLToPath } from "node:url"
import { runWorker } from "../mod.ts"

const [concurrency, ...host] = process.argv.slice(2)

runWorker({
  database: Redacted.make(process.env.ESPALIER_DATABASE ?? ""),
  process: {
    module: fileURLToPath(new URL("host.ts", import.meta.url)),
    arguments: host,
  },
  concurrency: Number(concurrency),
  onEvent: (event) =>
    Effect.sync(() => process.stdout.write(`${Date.now()} ${JSON.stringify(event)}\n`)),
}).pipe(NodeRuntime.runMain)
