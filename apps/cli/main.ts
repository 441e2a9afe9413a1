#!/usr/bin/env node
import { askCommand } from "./command_line/ask_command.ts"
import { makeCli } from "./command_line/cli.ts"
import { fmdCommand } from "./command_line/fmd_command.ts"
import { generateCommand } from "./command_line/generate_command.ts"
import { pruneCommand } from "./command_line/prune_command.ts"
import { quantizeCommand } from "./command_line/quantize_command.ts"
import { runMain } from "./command_line/run_main.ts"
import { tradeCommand } from "./command_line/trade_command.ts"
import { trainCommand } from "./command_line/train_command.ts"
import { packageVersions } from "./command_line/versions.ts"
import { deviceLayer } from "./device.ts"
import { steps } from "./steps/mod.ts"

runMain(
  makeCli({ steps, device: deviceLayer, packages: packageVersions }, [
    askCommand,
    fmdCommand,
    generateCommand,
    pruneCommand,
    quantizeCommand,
    tradeCommand,
    trainCommand,
  ]),
)
