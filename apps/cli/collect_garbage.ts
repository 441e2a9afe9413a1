import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

let collect: (() => void) | undefined

/**
 * Gives back what is no longer used, now: V8 hears of large arrays outside its heap too late, and a
 * few blocks of a checkpoint would lie about at a time.
 */
export const collectGarbage: Effect.Effect<void> = Effect.sync(() => {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc")
    collect = runInNewContext("gc") as () => void
  }
  collect()
})
