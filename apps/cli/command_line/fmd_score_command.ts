import { scoreFiles } from "@espalier/misinformation"
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { locateFile } from "./locate_file.ts"
import { brokenFlag, dataFlag, jsonFlag } from "./fmd_flags.ts"
import { formatNumber, formatTable } from "./table.ts"
import { tellWork } from "./tell_work.ts"
import { writeOut } from "./terminal.ts"

const flags = {
  predictions: Flag.String("predictions").pipe(
    Flag.withDescription("JSON lines with an answer in output, the prompt before it or not"),
  ),
  gold: Flag.String("gold").pipe(
    Flag.withDescription("JSON lines as in FMD_val.json, in the same order"),
  ),
  skipBroken: brokenFlag,
  data: dataFlag,
  json: jsonFlag,
}

/** `espalier fmd score --predictions FILE --gold FILE`. */
export const fmdScoreCommand = Command.make(
  "score",
  flags,
  Effect.fnUntraced(function* (options) {
    const predictions = yield* locateFile(options.predictions, "--predictions", options.data)
    const gold = yield* locateFile(options.gold, "--gold", options.data)
    const { skipBroken } = options
    const { skipped, ...score } = yield* scoreFiles({ predictions, gold, skipBroken }).pipe(
      tellWork("score"),
    )
    const document = skipBroken ? { ...score, skipped } : score
    if (options.json) return yield* writeOut(`${JSON.stringify(document, null, 2)}\n`)
    const rows = Object.entries(document).map(([name, value]) => [name, formatNumber(value)])
    yield* writeOut(
      `${formatTable([["measured", ""], ...rows])}\n\nBERTScore, which the challenge prints too, is not computed.\n`,
    )
  }),
).pipe(
  Command.withDescription(
    "Score predictions as the FMD challenge does: micro-F1, ROUGE-1/2/L, overall (BERTScore is not computed)",
  ),
)
