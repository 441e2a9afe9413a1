import { byteSize, Ir } from "@espalier/tensor"
import { product } from "../templates/common.ts"
import { isDotProducts } from "../templates/contract.ts"
import { keepsRows } from "../templates/rows.ts"
import type { Strategy } from "../templates/strategy.ts"
import type { AddScratch, Launch } from "./launch.ts"
import { launchOf, rangeBytes } from "./launch.ts"
import { fillThenScatter } from "./fill_scatter.ts"
import type { BindingLimits } from "./split_binding.ts"
import { isUnsplittable, splitBindings } from "./split_binding.ts"
import { productPieces, splitProduct } from "./split_product.ts"
import { divisorBelow, splitReduction, splitScan } from "./two_stage.ts"

/** A schedule as this device runs it. */
export interface Plan {
  /** Buffers of the schedule, and after them the scratch memory of steps with several launches. */
  readonly buffers: ReadonlyArray<Ir.ScheduleBuffer>
  readonly arenaBytes: number
  /** Every launch once. */
  readonly launches: ReadonlyArray<Launch>
  /** Numbers of launches in the order in which they run. */
  readonly order: Int32Array
  readonly inPlace: Ir.Schedule["inPlace"]
}

/** A step that cannot run here, with the numbers that say why. */
export interface Refusal {
  readonly kernel: string
  readonly bytes: number
}

/** What decides how a schedule is cut up. */
export interface PlanOptions {
  readonly strategy: Strategy
  readonly limits: BindingLimits
  /** True for hand-written kernels that have code for this adapter. */
  readonly keepsCustom: (kernel: Ir.CustomKernel) => boolean
}

const align = (bytes: number): number => Math.ceil(bytes / Ir.arenaAlignment) * Ir.arenaAlignment

/** Scratch memory behind the arena, the same for every step. */
class Scratch {
  readonly buffers: Array<Ir.ScheduleBuffer>
  readonly #start: number
  #next: number
  end: number

  constructor(buffers: ReadonlyArray<Ir.ScheduleBuffer>, arenaBytes: number) {
    this.buffers = [...buffers]
    this.#start = align(arenaBytes)
    this.#next = this.#start
    this.end = arenaBytes
  }

  /** A step begins: what the one before it left is no longer needed. */
  reset(): void {
    this.#next = this.#start
  }

  readonly add: AddScratch = (dtype, length) => {
    const id = this.buffers.length
    this.buffers.push({ id, dtype, length, role: "temporary", offset: this.#next })
    this.#next += align(length * byteSize(dtype))
    this.end = Math.max(this.end, this.#next)
    return id
  }
}

/** Pieces in which every operand of a long fold can be bound. */
const piecesToBind = ({ loops, operands }: Ir.ReduceKernel, { bindingBytes }: BindingLimits) => {
  const longest = Math.max(...operands.map(({ dtype, length }) => rangeBytes(dtype, length)))
  return longest <= bindingBytes ? 1 : Math.ceil((2 * longest) / bindingBytes / product(loops))
}

/** From so many elements on, the start of a scatter's output is worth a launch of its own. */
const fillSeparately = 2 ** 14

/** The launches of a step: several where that keeps more of the adapter busy. */
const spread = (
  launch: Launch,
  { strategy, limits }: PlanOptions,
  add: AddScratch,
  isInPlace: (kernel: Ir.ScatterKernel) => boolean,
): ReadonlyArray<Launch> => {
  const { kernel, operands } = launch
  if (kernel.kind === "scatter") {
    const large = kernel.rows * kernel.inner >= fillSeparately
    return large && !isInPlace(kernel) ? fillThenScatter(kernel, operands) : [launch]
  }
  if (kernel.kind === "contract") {
    const pieces = isDotProducts(kernel, strategy) ? 1 : productPieces(kernel, strategy)
    return pieces > 1 ? splitProduct(kernel, operands, pieces, add) : [launch]
  }
  if (kernel.kind !== "reduce" && kernel.kind !== "scan") return [launch]
  const few = product(kernel.loops) < strategy.splitOutputs
  if (kernel.kind === "reduce") {
    const length = product(kernel.reduceLoops)
    const pieces = piecesToBind(kernel, limits)
    const chunks = few && length >= strategy.splitLength ? strategy.splitChunks : 1
    return Math.max(chunks, pieces) > 1
      ? splitReduction(kernel, operands, Math.min(length, Math.max(chunks, pieces)), add)
      : [launch]
  }
  if (strategy.scan === "serial" || !few || kernel.length < strategy.splitLength) return [launch]
  const size = divisorBelow(kernel.length, Math.ceil(kernel.length / strategy.splitChunks))
  return kernel.length / size <= 16 * strategy.splitChunks
    ? splitScan(kernel, operands, size, add)
    : [launch]
}

/** Cuts a schedule into launches that the adapter can run. */
export const planSchedule = (schedule: Ir.Schedule, options: PlanOptions): Plan | Refusal => {
  const { strategy, limits } = options
  const fits = ({ operands }: Ir.Kernel): boolean =>
    operands.every(({ dtype, length }) => rangeBytes(dtype, length) <= limits.bindingBytes)
  const withoutCustom = Ir.expandCustom(
    schedule,
    (kernel) => fits(kernel) && options.keepsCustom(kernel),
  )
  const prepared = Ir.expandRows(
    withoutCustom,
    (kernel) => fits(kernel) && keepsRows(kernel, strategy),
  )
  const scratch = new Scratch(prepared.buffers, prepared.arenaBytes)
  const launches: Array<Launch> = []
  /** Where the launches of each step begin. */
  const begins: Array<number> = []
  for (const step of prepared.steps) {
    begins.push(launches.length)
    scratch.reset()
    if (writesNothing(step.kernel)) continue
    const isInPlace = ({ initial, outputs }: Ir.ScatterKernel): boolean =>
      initial !== undefined &&
      prepared.inPlace.some(
        ({ input, output }) =>
          input === step.buffers[initial] && output === step.buffers[outputs[0].operand],
      )
    for (const launch of spread(launchOf(step), options, scratch.add, isInPlace)) {
      const split = splitBindings(launch, limits)
      if (isUnsplittable(split)) return { kernel: launch.kernel.name, bytes: split.bytes }
      launches.push(...split)
    }
  }
  begins.push(launches.length)
  const order: Array<number> = []
  for (const step of Ir.executionOrder(prepared)) {
    for (let at = begins[step]; at < begins[step + 1]; at++) order.push(at)
  }
  return {
    buffers: scratch.buffers,
    arenaBytes: scratch.end,
    launches,
    order: Int32Array.from(order),
    inPlace: prepared.inPlace,
  }
}

const writesNothing = ({ operands }: Ir.Kernel): boolean =>
  operands.every(({ access, length }) => access === "read" || length === 0)
