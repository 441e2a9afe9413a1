import { Command } from "effect/cli"
import { tradeReportCommand } from "./trade_report_command.ts"
import { tradeScoreCommand } from "./trade_score_command.ts"
import { tradeTestCommand } from "./trade_test_command.ts"
import { tradeWarmUpCommand } from "./trade_warm_up_command.ts"

/** `espalier trade …`. */
export const tradeCommand = Command.make("trade").pipe(
  Command.withDescription(
    "Let an agent trade one asset a day in a simulation that cannot see the future; no order is ever placed",
  ),
  Command.withSubcommands([
    tradeWarmUpCommand,
    tradeTestCommand,
    tradeReportCommand,
    tradeScoreCommand,
  ]),
)
