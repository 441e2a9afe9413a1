#!/usr/bin/env node
import { makeCli } from "./command_line/cli.ts"
import { generateCommand } from "./command_line/generate_command.ts"
import { pruneCommand } from "./command_line/prune_command.ts"
import { quantizeCommand } from "./command_line/quantize_command.ts"
import { runMain } from "./command_line/run_main.ts"
import { trainCommand } from "./command_line/train_command.ts"
import { packageVersions } from "./command_line/versions.ts"
import { deviceLayer } from "./device.ts"
import { steps } from "./steps/mod.ts"

runMain(
  makeCli({ steps, device: deviceLayer, packages: packageVersions }, [
    generateCommand,
    pruneCommand,
    quantizeCommand,
    trainCommand,
  ]),
)
