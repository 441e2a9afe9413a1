/**
 * The `espalier` command as a library: every step there is, and `makeCli` for applications that put
 * steps of their own beside them.
 *
 * @module
 */
export type { Application, DeviceChoice, Platform } from "./command_line/application.ts"
export { type FurtherCommand, makeCli } from "./command_line/cli.ts"
export { exitCodes } from "./command_line/exit_code.ts"
export { fmdCommand } from "./command_line/fmd_command.ts"
export { generateCommand } from "./command_line/generate_command.ts"
export { pruneCommand } from "./command_line/prune_command.ts"
export { quantizeCommand } from "./command_line/quantize_command.ts"
export { runMain } from "./command_line/run_main.ts"
export { formatTable } from "./command_line/table.ts"
export { tradeCommand } from "./command_line/trade_command.ts"
export { trainCommand } from "./command_line/train_command.ts"
export { packageVersions } from "./command_line/versions.ts"
export { deviceLayer } from "./device.ts"
export { steps } from "./steps/mod.ts"
export * as Steps from "./steps/typed.ts"
