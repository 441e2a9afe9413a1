import type { Pruner } from "@espalier/pruning"
import { Result } from "effect"
import type { InvalidMethodOption } from "../method_options.ts"
import { readMethodOptions } from "../method_options.ts"
import type { PruneMethod } from "./methods.ts"

/** A pruner from `name=value` texts. */
export const makePruner = (
  method: PruneMethod,
  given: ReadonlyArray<string>,
): Result.Result<Pruner, InvalidMethodOption> =>
  Result.map(readMethodOptions("prune", method, given), (options) => method.make(options as never))
