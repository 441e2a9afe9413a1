import { Effect } from "effect"
import { Command } from "effect/cli"
import { runPhase, phaseFlags } from "./trade_phase.ts"
import { writeOut } from "./terminal.ts"

/** `espalier trade warm-up --asset btc`. */
export const tradeWarmUpCommand = Command.make(
  "warm-up",
  phaseFlags,
  Effect.fnUntraced(function* (options) {
    const { document } = yield* runPhase("warm-up", options)
    if (options.json) return yield* writeOut(`${JSON.stringify(document, null, 2)}\n`)
    const { memories, days, file } = document
    const kept = Object.entries(memories ?? {}).map(([layer, count]) => `${count} ${layer}`)
    yield* writeOut(`${file}: ${days} days, memories: ${kept.join(", ")}\n`)
  }),
).pipe(
  Command.withDescription(
    "Let an agent learn from days whose outcome it is told; a run that is stopped goes on after its last day",
  ),
)
