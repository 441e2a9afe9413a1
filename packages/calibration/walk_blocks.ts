import type { Block, CausalLM } from "@espalier/models"
import { parameterSpecs, stackWindows } from "@espalier/models"
import { decodeTree, encodeTree } from "@espalier/nn"
import { Checkpoint, Progress } from "@espalier/runtime"
import type { CompileError, Device, HostArray, Tensor } from "@espalier/tensor"
import { DeviceArray, Program, Spec } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Option } from "effect"
import type { Statistic } from "./statistic.ts"

type Specs = Readonly<Record<string, Spec>>
type Arrays = Readonly<Record<string, DeviceArray.DeviceArray>>

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
  /** Token windows of equal length. */
  readonly windows: ReadonlyArray<Int32Array>
  readonly statistic: Statistic
  /** Gives the new parameters of a block. */
  readonly visit: (visit: BlockVisit) => Effect.Effect<BlockParameters, E, R>
  /** Windows that run at once; 8. */
  readonly batch?: number
}

/** Everything that can stop a walk besides its visitor. */
export type WalkError = Program.RunError | CompileError

interface BlockPrograms {
  readonly forward: Program.Compiled<{ readonly own: Specs; readonly hidden: Spec }, Tensor.Tensor>
  readonly observe: Program.Compiled<
    { readonly own: Specs; readonly hidden: Spec; readonly statistics: Specs },
    Readonly<Record<string, Tensor.Tensor>>
  >
}

const statisticSpecs = (block: Block, statistic: Statistic): Specs =>
  Object.fromEntries(block.linears.map(({ name, shape }) => [name, statistic.spec(shape[1])]))

const compileBlock = Effect.fnUntraced(function* (
  model: CausalLM,
  block: Block,
  statistic: Statistic,
  hidden: Spec,
) {
  const own = Spec.of(block.parameters(model.parameters)) as unknown as Specs
  const forward = Program.make("block", { own, hidden }, (given) =>
    block.forward(given.own, given.hidden),
  )
  const statistics = statisticSpecs(block, statistic)
  const observe = Program.make("observe", { own, hidden, statistics }, (given) => {
    const next: Record<string, Tensor.Tensor> = { ...given.statistics }
    block.forward(given.own, given.hidden, (linear, input) => {
      next[linear] = statistic.update(next[linear], input)
    })
    return next
  })
  const programs: BlockPrograms = {
    forward: yield* Program.compile(forward),
    observe: yield* Program.compile(observe),
  }
  return programs
})

/** The programs for one number of windows at once; blocks of one signature share theirs. */
const compileBatch = Effect.fnUntraced(function* (
  model: CausalLM,
  statistic: Statistic,
  size: number,
  window: number,
) {
  const embed = yield* Program.compile(
    Program.make(
      "embed",
      { parameters: parameterSpecs(model) as Spec, tokens: Spec.i32([size, window]) },
      ({ parameters, tokens }) => model.embed(parameters, tokens),
    ),
  )
  const hidden = Spec.f32([size, window, model.dimension])
  const bySignature = new Map<string, BlockPrograms>()
  for (const block of model.blocks) {
    if (bySignature.has(block.signature)) continue
    bySignature.set(block.signature, yield* compileBlock(model, block, statistic, hidden))
  }
  return { embed, block: (block: Block) => bySignature.get(block.signature)! }
})

/** Hidden states of one batch of windows, replaced block by block. */
interface Batch {
  readonly programs: Effect.Success<ReturnType<typeof compileBatch>>
  hidden: DeviceArray.DeviceArray
}

const startBatches = Effect.fnUntraced(function* <E, R>(
  model: CausalLM,
  options: WalkOptions<E, R>,
) {
  const { windows, statistic } = options
  const size = Math.min(options.batch ?? 8, windows.length)
  const bySize = new Map<number, Batch["programs"]>()
  const batches: Array<Batch> = []
  for (let start = 0; start < windows.length; start += size) {
    const rows = windows.slice(start, start + size)
    let programs = bySize.get(rows.length)
    if (programs === undefined) {
      programs = yield* compileBatch(model, statistic, rows.length, rows[0].length)
      bySize.set(rows.length, programs)
    }
    const parameters = model.parameters as HostArray.HostArray
    const hidden = yield* programs.embed({ parameters, tokens: stackWindows(rows) })
    batches.push({ programs, hidden })
  }
  return batches
})

const gather = Effect.fnUntraced(function* (
  block: Block,
  own: Arrays,
  batches: ReadonlyArray<Batch>,
  statistic: Statistic,
) {
  const zeros = Object.entries(statisticSpecs(block, statistic)).map(([name, { shape, dtype }]) => {
    const length = shape.reduce((product, extent) => product * extent, 1)
    return [name, { shape, dtype, data: new Float32Array(length) }] as const
  })
  let statistics: Arrays = yield* DeviceArray.fromHostTree(Object.fromEntries(zeros))
  for (const { programs, hidden } of batches) {
    const run = programs.block(block).observe
    statistics = yield* run({ own, hidden, statistics }, { donate: ["statistics"] })
  }
  return statistics
})

const advance = Effect.fnUntraced(function* (
  block: Block,
  own: Arrays,
  batches: ReadonlyArray<Batch>,
) {
  for (const batch of batches) {
    const run = batch.programs.block(block).forward
    batch.hidden = yield* run({ own, hidden: batch.hidden }, { donate: ["hidden"] })
    yield* Effect.yieldNow
  }
})

const load = Effect.fnUntraced(function* (task: string, model: CausalLM) {
  const saved = yield* Checkpoint.load(task)
  const none = { done: 0, parameters: model.parameters }
  return Option.match(saved, {
    onNone: () => none,
    onSome: (files) => {
      const [done, tree] = [files["done"]?.[0], files["parameters.bin"]]
      if (done === undefined || tree === undefined) return none
      return Option.match(decodeTree(tree, model.parameters), {
        onNone: () => none,
        onSome: (parameters) => ({ done, parameters }),
      })
    },
  })
})

/**
 * Walks a model block by block, as SparseGPT, Wanda and GPTQ do: all calibration windows run
 * through a block, `visit` changes the block by what its linears were given, and the *changed*
 * block's outputs go to the next one. The device holds one block and the calibration activations,
 * whatever the model's depth. Goes on after the last finished block where a checkpoint store is
 * provided.
 */
export const walkBlocks = Effect.fn("walkBlocks")(function* <E, R>(
  model: CausalLM,
  options: WalkOptions<E, R>,
): Effect.fn.Return<CausalLM, WalkError | E, Device | R | Scope.Scope> {
  const { task, windows, statistic, visit } = options
  const batches = yield* startBatches(model, options)
  const resumed = yield* load(task, model)
  let { parameters } = resumed
  for (const block of model.blocks) {
    let own = block.parameters(parameters) as BlockParameters
    if (block.index >= resumed.done) {
      own = yield* Effect.scoped(
        Effect.gen(function* () {
          const loaded = yield* DeviceArray.fromHostTree(own)
          const statistics = yield* gather(block, loaded, batches, statistic)
          return yield* visit({ block, parameters: own, statistics, samples: windows.length })
        }),
      )
      parameters = block.replace(parameters, own)
      const done = Uint8Array.of(block.index + 1)
      yield* Checkpoint.save(task, { done, "parameters.bin": encodeTree(parameters) })
    }
    if (block.index + 1 < model.blocks.length) {
      const loaded = yield* DeviceArray.fromHostTree(own)
      yield* advance(block, loaded, batches)
      DeviceArray.release(loaded)
    }
    const completed = block.index + 1
    yield* Progress.report({ task, completed, total: model.blocks.length, unit: "blocks" })
  }
  yield* Checkpoint.clear(task)
  return model.withParameters(parameters)
}, Effect.scoped)
