import { Command } from "effect/cli"
import type { FurtherCommand } from "./cli.ts"
import { fmdPredictCommand } from "./fmd_predict_command.ts"
import { fmdScoreCommand } from "./fmd_score_command.ts"
import { fmdTrainCommand } from "./fmd_train_command.ts"

/** `espalier fmd`. */
export const fmdCommand: FurtherCommand = Command.make("fmd").pipe(
  Command.withDescription("Detect misinformation and explain it: train, predict, score"),
  Command.withSubcommands([fmdTrainCommand, fmdPredictCommand, fmdScoreCommand]),
)
