import { Ir } from "@espalier/tensor"
import type { LoadedKernel, StageFunction } from "./kernels.ts"
import type { Threads } from "./threads.ts"

/** Where a program's memory is for one run. */
export interface Places {
  /** Address of the arena of temporaries. */
  readonly arena: number
  readonly scratch: number
  /** Working memory that all threads see. */
  readonly shared: number
}

/** One stage of a call. */
interface StageCall {
  readonly index: number
  readonly run: StageFunction
  readonly extent: number
  /** Worth sharing between threads. */
  readonly shared: boolean
}

/** One step of a schedule, ready to run. */
interface Call {
  readonly kernel: LoadedKernel
  readonly buffers: ReadonlyArray<number>
  readonly stages: ReadonlyArray<StageCall>
  /** `start, end, scratch, shared`, then the address of each operand. */
  readonly parameters: Array<number>
  /** Operands that lie elsewhere in every run. */
  readonly moving: ReadonlyArray<number>
}

/** Parameters of a stage function before the operands. */
const leading = 4

/**
 * The calls of a program in the order in which they run. What stays where it is from run to run is
 * looked up once: small programs run in tens of microseconds.
 */
export class LoadedProgram {
  readonly #schedule: Ir.Schedule
  readonly #order: ReadonlyArray<Call>
  readonly #calls: ReadonlyArray<Call>
  readonly #addresses: Array<number>
  readonly #inPlace: ReadonlySet<string>
  #places: Places | undefined

  /** `kernels[i]` is what step `i` runs, if anything. */
  constructor(
    schedule: Ir.Schedule,
    kernels: ReadonlyArray<LoadedKernel | undefined>,
    constants: ReadonlyMap<number, number>,
    threads: Threads | undefined,
  ) {
    this.#schedule = schedule
    this.#addresses = schedule.buffers.map(({ id }) => constants.get(id) ?? 0)
    const moves = new Set([...schedule.inputs, ...schedule.outputs])
    const calls = schedule.steps.map(({ buffers }, at): Call | undefined => {
      const kernel = kernels[at]
      if (kernel === undefined) return undefined
      return {
        kernel,
        buffers,
        stages: kernel.code.stages.map((stage, index) => ({
          index,
          run: kernel.functions[index],
          extent: stage.extent,
          shared: threads?.pays(stage) === true,
        })),
        parameters: new Array<number>(leading + buffers.length).fill(0),
        moving: [...buffers.keys()].filter((operand) => moves.has(buffers[operand])),
      }
    })
    this.#calls = calls.filter((call) => call !== undefined)
    this.#order = Array.from(Ir.executionOrder(schedule), (at) => calls[at]).filter(
      (call) => call !== undefined,
    )
    this.#inPlace = new Set(
      schedule.inPlace.map(
        ({ input, output }) =>
          `${schedule.inputs.indexOf(input)} ${schedule.outputs.indexOf(output)}`,
      ),
    )
  }

  /** Kernels started by one run. */
  get dispatches(): number {
    return this.#order.length
  }

  /** Inputs whose memory an output takes over although the program does not update them in place. */
  overwritten(
    inputs: ReadonlyArray<{ readonly address: number }>,
    outputs: ReadonlyArray<{ readonly address: number }>,
  ): ReadonlyArray<number> {
    const written = new Map(outputs.map(({ address }, i) => [address, i]))
    const found: Array<number> = []
    for (let i = 0; i < inputs.length; i++) {
      const output = written.get(inputs[i].address)
      if (output !== undefined && !this.#inPlace.has(`${i} ${output}`)) found.push(i)
    }
    return found
  }

  /** Looks up what does not move again after the working memory has. */
  #settle(places: Places): void {
    this.#places = places
    const { buffers } = this.#schedule
    for (const { id, role, offset = 0 } of buffers) {
      if (role === "temporary") this.#addresses[id] = places.arena + offset
    }
    for (const { parameters, buffers: bound } of this.#calls) {
      parameters[2] = places.scratch
      parameters[3] = places.shared
      for (const [operand, id] of bound.entries()) {
        parameters[leading + operand] = this.#addresses[id]
      }
    }
  }

  run(
    places: Places,
    inputs: ReadonlyArray<{ readonly address: number }>,
    outputs: ReadonlyArray<{ readonly address: number }>,
    threads: Threads | undefined,
    scratchBytes: number,
  ): void {
    const known = this.#places
    const moved =
      known === undefined ||
      known.arena !== places.arena ||
      known.scratch !== places.scratch ||
      known.shared !== places.shared
    if (moved) this.#settle(places)
    const addresses = this.#addresses
    const { inputs: inputIds, outputs: outputIds } = this.#schedule
    for (let i = 0; i < inputIds.length; i++) addresses[inputIds[i]] = inputs[i].address
    for (let i = 0; i < outputIds.length; i++) addresses[outputIds[i]] = outputs[i].address
    for (const { buffers, parameters, moving } of this.#calls) {
      for (let i = 0; i < moving.length; i++) {
        parameters[leading + moving[i]] = addresses[buffers[moving[i]]]
      }
    }
    for (const { kernel, stages, parameters } of this.#order) {
      for (const stage of stages) {
        if (stage.shared && threads !== undefined) {
          const bases = parameters.slice(leading)
          threads.run(kernel, stage.index, places.scratch, scratchBytes, places.shared, bases)
        } else {
          parameters[1] = stage.extent
          stage.run.apply(undefined, parameters)
        }
      }
    }
  }
}
