import { scoreDecisions } from "@espalier/trading"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { scoreDocument, scoreText } from "../trading/score_text.ts"
import { phaseFlags, runPhase } from "./trade_phase.ts"
import { writeOut } from "./terminal.ts"
import { figureFlags } from "./trade_flags.ts"

/** `espalier trade test --asset btc`. */
export const tradeTestCommand = Command.make(
  "test",
  { ...phaseFlags, ...figureFlags },
  Effect.fnUntraced(function* (options) {
    const { market, window, rules, run, document } = yield* runPhase("test", options)
    const { daysPerYear, seed } = options
    const score = yield* Effect.fromResult(
      scoreDecisions(market, window, run.directions, { ...rules, daysPerYear, seed }),
    )
    const about = { agent: run.agent, daysPerYear, actions: document.actions }
    if (options.json) {
      const { file, memories, inventedMemories } = document
      const told = { ...scoreDocument(score, about), inventedMemories, memories, file }
      return yield* writeOut(`${JSON.stringify(told, null, 2)}\n`)
    }
    const invented =
      document.inventedMemories === 0
        ? ""
        : `${document.inventedMemories} memories were named that the agent had not been shown\n`
    yield* writeOut(`${scoreText(score, about)}\n\n${invented}${document.file}\n`)
  }),
).pipe(
  Command.withDescription(
    "Let an agent decide on each day of a window it has not seen; a run that is stopped goes on after its last day",
  ),
)
