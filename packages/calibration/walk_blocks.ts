import type { Block, CausalLM } from "@espalier/models"
import { stackWindows, windowLength } from "@espalier/models"
import { Progress } from "@espalier/runtime"
import type { CompileError, Device, HostArray, Program } from "@espalier/tensor"
import { DeviceArray } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { Arrays } from "./block_programs.ts"
import { compileBatch, compileEmbedding, outsideBlocks, statisticSpecs } from "./block_programs.ts"
import type { Statistic } from "./statistic.ts"
import * as WalkCheckpoint from "./walk_checkpoint.ts"

/** The parameters of one block on the host. */
export type BlockParameters = Readonly<Record<string, HostArray.HostArray>>

/** What a visitor sees of one block: its parameters and what its linears were given. */
export interface BlockVisit {
  readonly block: Block
  readonly parameters: BlockParameters
  /** The finished accumulator of each linear, by name. Freed after the visit. */
  readonly statistics: Arrays
  /** Calibration windows that were run. */
  readonly samples: number
}

/** Options of {@link walkBlocks}. */
export interface WalkOptions<E, R> {
  /** What is being done, for progress and checkpoints: `wanda`. */
  readonly task: string
  /** Token windows of equal length, at least one. */
  readonly windows: ReadonlyArray<Int32Array>
  readonly statistic: Statistic
  /** Gives the new parameters of a block. */
  readonly visit: (visit: BlockVisit) => Effect.Effect<BlockParameters, E, R>
  /** Windows that run at once; 8. */
  readonly batch?: number
}

/** Everything that can stop a walk besides its visitor. */
export type WalkError = Program.RunError | CompileError

/** Hidden states of one batch of windows, replaced block by block. */
interface Batch {
  readonly programs: Effect.Success<ReturnType<typeof compileBatch>>
  hidden: DeviceArray.DeviceArray
}

const embed = Effect.fnUntraced(function* (model: CausalLM, rows: ReadonlyArray<Int32Array>) {
  const run = yield* compileEmbedding(model, rows.length, rows[0].length)
  const parameters = yield* DeviceArray.fromHostTree(outsideBlocks(model))
  return { run, parameters }
})

const startBatches = Effect.fnUntraced(function* <E, R>(
  model: CausalLM,
  options: WalkOptions<E, R>,
) {
  const { windows, statistic } = options
  const window = windowLength(windows)
  const size = Math.min(options.batch ?? 8, windows.length)
  const bySize = new Map<number, Batch["programs"]>()
  const batches: Array<Batch> = []
  for (let start = 0; start < windows.length; start += size) {
    const rows = windows.slice(start, start + size)
    let programs = bySize.get(rows.length)
    if (programs === undefined) {
      programs = yield* compileBatch(model, statistic, rows.length, window)
      bySize.set(rows.length, programs)
    }
  }
  return batches
})
