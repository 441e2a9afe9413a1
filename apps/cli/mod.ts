/**
 * The command line over steps: `makeCli` for applications with steps of their own.
 *
 * @module
 */
export type { Application, DeviceChoice, Platform } from "./command_line/application.ts"
export { type FurtherCommand, makeCli } from "./command_line/cli.ts"
export { exitCodes } from "./command_line/exit_code.ts"
export { runMain } from "./command_line/run_main.ts"
export { formatTable } from "./command_line/table.ts"
