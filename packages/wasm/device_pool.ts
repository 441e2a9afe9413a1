import { Context } from "effect"
import type { Pool } from "./memory.ts"

/**
 * The memory of the device of this package, where there is one: what else needs memory for a while
 * takes it from there, because a WebAssembly memory never gives back what it has once had.
 */
export const DevicePool: Context.Reference<Pool | undefined> = Context.Reference(
  "@espalier/wasm/DevicePool",
  { defaultValue: (): Pool | undefined => undefined },
)
