import type { Block, CausalLM, NamedLinear } from "@espalier/models"
import { Progress } from "@espalier/runtime"
import type { Device, HostArray } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { BlockParameters, BlockStore } from "./block_store.ts"
import { CalibrationMissing, checkParameters } from "./errors.ts"
import { hessianOfInputs } from "./hessian.ts"
import { layerError } from "./layer_error.ts"
import { type BlockReports, type LinearReport, loadReports, saveReports } from "./linear_report.ts"
import type { LayerInputs, MethodError } from "./layer_inputs.ts"
import { readLayerInputs } from "./layer_inputs.ts"
import type { Programs } from "./programs.ts"
import { makePrograms } from "./programs.ts"
import type { ScaleInputs } from "./scale_inputs.ts"
import { scaleBlock } from "./scale_inputs.ts"
import type { Statistic } from "./statistic.ts"
import { nothing } from "./statistic.ts"
import type { BlockBatch, BlockInputs, BlockVisit, WalkError } from "./walk_blocks.ts"
import { walkStore } from "./walk_blocks.ts"

/** One linear that is to be changed. */
export interface LinearProblem {
  readonly linear: NamedLinear
  /** The weights as they were at first, [outputs, inputs]. */
  readonly weight: HostArray.HostArray
  readonly inputs: LayerInputs
  readonly programs: Programs
}

/** One block whose linears were changed one by one, for methods that look at it as a whole. */
export interface BlockProblem {
  readonly block: Block
  /** All parameters of the block as they were at first. */
  readonly dense: BlockParameters
  /** Its linears as they were changed. */
  readonly changed: BlockParameters
  readonly batches: ReadonlyArray<BlockBatch>
  readonly programs: Programs
}

/** How linears are changed, whatever becomes of them: pruned, quantised or both. */
export interface LinearMethod<E = never> {
  /** As in messages, progress and reports: `sparsegpt`. */
  readonly name: string
  /** What it needs to know about the inputs of a linear. */
  readonly statistic: Statistic
  /** Needs of a Hessian its factor for one damping and nothing else, so that it may be written over. */
  readonly factorOnly?: boolean
  /**
   * First scales inputs, where something before them in the block can take it up: everything after
   * sees weights and inputs that were scaled. Needs the statistic `hessianOfInputs`.
   */
  readonly scaleInputs?: ScaleInputs<E>
  /** Gives new weights of one linear, [outputs, inputs]. */
  readonly change: (
    problem: LinearProblem,
  ) => Effect.Effect<HostArray.HostArray, MethodError | E, Device | Scope.Scope>
  /** Then improves the block as a whole; gives the parameters that change. */
  readonly refine?: (
    problem: BlockProblem,
  ) => Effect.Effect<BlockParameters, MethodError | E, Device | Scope.Scope>
}

/** Options of {@link changeLinears}. */
export interface ChangeOptions<A> {
  /** What is reported of a linear that was changed. */
  readonly describe: (linear: NamedLinear, weight: HostArray.HostArray) => A
  /** Calibration: token windows of equal length; none where the method looks at weights alone. */
  readonly windows: ReadonlyArray<Int32Array>
  /** Windows that run at once; 8. */
  readonly batch?: number
  /** Measures what each layer loses; false. Needs the Hessian of its inputs. */
  readonly layerErrors?: boolean
}

/** What a visit of one block needs to know besides the block. */
interface Job<A, F> {
  readonly method: LinearMethod<F>
  readonly programs: Programs
  readonly describe: ChangeOptions<A>["describe"]
  readonly layerErrors: boolean
}

/** What becomes of the linears of one block. */
interface ChangedLinears<A> {
  /** Those that were not kept at once. */
  readonly found: Record<string, HostArray.HostArray>
  readonly reports: Map<NamedLinear, A & LinearReport>
  /** By linear, where layer errors are measured. */
  readonly known: Map<string, LayerInputs>
}

/** Changes one linear. A function of its own, so that nothing of it is held while the next one is changed. */
const changeLinear = Effect.fnUntraced(function* <A, F, E, R>(
  { method, programs, describe, layerErrors }: Job<A, F>,
  { parameters, keep }: BlockVisit<E, R>,
  linear: NamedLinear,
  inputs: LayerInputs,
  { found, reports, known }: ChangedLinears<A>,
) {
  const { name } = linear
  const { [name]: weight } = yield* parameters([name])
  const changed = yield* Effect.scoped(method.change({ linear, weight, inputs, programs }))
  if (method.refine === undefined) yield* keep({ [name]: changed })
  else found[name] = changed
  if (layerErrors) known.set(name, inputs)
  const error = layerErrors
    ? { error: yield* layerError(programs, changed, weight, yield* inputs.onDevice) }
    : {}
  const described = describe(linear, changed)
  reports.set(linear, { ...described, deadInputs: inputs.dead.length, ...error })
})

/** Changes the linears that share their inputs. */
const changeGroup = Effect.fnUntraced(function* <A, F, E, R>(
  job: Job<A, F>,
  visit: BlockVisit<E, R>,
  group: BlockInputs,
  into: ChangedLinears<A>,
) {
  const once = job.method.factorOnly === true && !job.layerErrors
  const inputs = yield* readLayerInputs(group, visit.samples, once)
  for (const linear of group.linears) yield* changeLinear(job, visit, linear, inputs, into)
})

/** Scales the inputs of the linears of one block, and changes them; gives the block as it was scaled. */
const changeScaled = Effect.fnUntraced(function* <A, F, E, R>(
  job: Job<A, F>,
  visit: BlockVisit<E, R>,
  scaleInputs: ScaleInputs<F>,
  into: ChangedLinears<A>,
) {
  const { parameters, changed, inputs } = yield* scaleBlock(visit, job.programs, scaleInputs)
  const scaled = { ...visit, parameters: () => Effect.succeed(parameters) }
  for (const group of inputs) {
    for (const linear of group.linears) {
      yield* changeLinear(job, scaled, linear, group.inputs, into)
      changed.delete(linear.name)
    }
  }
  for (const name of changed) into.found[name] = parameters[name]
  return scaled
})

/** Changes the linears of one block, then lets the method look at it as a whole. */
const changeBlock = Effect.fnUntraced(function* <A, F, E, R>(
  job: Job<A, F>,
  given: BlockVisit<E, R>,
) {
  const { method, programs, describe } = job
  const made: ChangedLinears<A> = { found: {}, reports: new Map(), known: new Map() }
  let visit = given
  if (method.scaleInputs !== undefined) {
    visit = yield* changeScaled(job, given, method.scaleInputs, made)
  } else {
    for (const group of given.inputs) yield* changeGroup(job, given, group, made)
  }
  const { found, reports, known } = made
  if (method.refine === undefined) return { found, reports }
  const { block, batches } = visit
  const dense = yield* visit.parameters()
  const problem = { block, dense, changed: found, batches, programs }
  const refined = { ...found, ...(yield* method.refine(problem)) }
  for (const [linear, before] of reports) {
    const { name } = linear
    const onDevice = known.get(name)?.onDevice
    const error =
      onDevice === undefined
        ? {}
        : { error: yield* layerError(programs, refined[name], dense[name], yield* onDevice) }
    reports.set(linear, { ...before, ...describe(linear, refined[name]), ...error })
  }
  return { found: refined, reports }
}, Effect.scoped)

/** What of the reports of one block has to be kept; the rest can be seen in its weights. */
const keptOf = (reports: ReadonlyMap<NamedLinear, LinearReport>): BlockReports =>
  Object.fromEntries(
    [...reports].map(([{ name }, { error, deadInputs }]) => [
      name,
      {
        ...(error === undefined ? {} : { error }),
        ...(deadInputs === undefined ? {} : { deadInputs }),
      },
    ]),
  )

/**
 * Changes every linear of every block of a model in a {@link BlockStore}, one block at a time, from and
 * to wherever the store keeps them; a changed block's outputs calibrate the next one. Goes on after the
 * blocks that the store has finished. Of `model`, only the structure is used. Fails with
 * {@link CalibrationMissing} where a method needs windows and there are none.
 */
export const changeLinears = Effect.fn("changeLinears")(function* <A extends object, F, E, R>(
  model: CausalLM,
  store: BlockStore<E, R>,
  method: LinearMethod<F>,
  options: ChangeOptions<A>,
): Effect.fn.Return<
  ReadonlyArray<A & LinearReport>,
  CalibrationMissing | WalkError | MethodError | E | F,
  Device | R | Scope.Scope
> {
  const { describe, windows, batch } = options
  const needsText = method.refine !== undefined || method.statistic !== nothing
  if (windows.length === 0 && needsText) {
    const hint = "Give token windows of ordinary text: `windows`."
    return yield* new CalibrationMissing({ method: method.name, hint })
  }
  const programs = yield* makePrograms
  const reports: Array<A & LinearReport> = []
  const before = store.done === 0 ? [] : yield* loadReports(method.name)
  const kept = Array.from({ length: store.done }, (_, index) => before[index] ?? {})
  for (const block of model.blocks.slice(0, store.done)) {
    const own = yield* store.changed(block)
    const known = kept[block.index]
    const order = Object.keys(known)
    const linears = block.linears.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    reports.push(
      ...linears.map((linear) => ({
        ...describe(linear, own[linear.name]),
        ...known[linear.name],
      })),
    )
  }
  const layerErrors = options.layerErrors === true && windows.length > 0
  const job = { method, programs, describe, layerErrors }
  const visit = (seen: BlockVisit<E, R>) =>
    Effect.gen(function* () {
      const made = yield* changeBlock(job, seen)
      reports.push(...made.reports.values())
      kept.push(keptOf(made.reports))
      yield* saveReports(method.name, kept)
      return made.found
    })
  if (windows.length > 0) {
    yield* walkStore(model, store, {
      task: method.name,
      windows,
      statistic: layerErrors ? hessianOfInputs : method.statistic,
      targets: method.refine !== undefined,
      visit,
      ...(batch === undefined ? {} : { batch }),
    })
    return reports
  }
  for (const block of model.blocks.slice(store.done)) {
    const inputs = block.linears.map((linear) => ({ linears: [linear], statistics: {} }))
    const parameters = (names?: ReadonlyArray<string>) =>
      Effect.flatMap(store.original(block, names), (own) => checkParameters(own, block))
    const keep = (changes: BlockParameters) => store.keep(block, changes)
    yield* keep(yield* visit({ block, parameters, inputs, batches: [], samples: 0, keep }))
    yield* store.finish(block)
    const total = model.blocks.length
    yield* Progress.report({ task: method.name, completed: block.index + 1, total, unit: "blocks" })
    yield* Effect.yieldNow
  }
  return reports
}, Effect.scoped)
