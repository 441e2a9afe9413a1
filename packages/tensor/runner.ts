import type { Scope } from "effect"
import { Effect } from "effect"
import type { DeviceBuffer, DeviceService, Executable } from "./device.ts"
import { DeviceArray, goneError } from "./device_array.ts"
import type { DType, HostData } from "./dtype.ts"
import { isFloat } from "./dtype.ts"
import type { ArrayGone, DeviceLost, OutOfMemory, UnsupportedDType } from "./errors.ts"
import { InputMismatch } from "./errors.ts"
import type { HostArray } from "./host_array.ts"
import { make as makeHost } from "./host_array.ts"
import type { Schedule } from "./ir/schedule.ts"
import type { Shape } from "./shape.ts"
import { sameShape, sizeOf } from "./shape.ts"
import type { Spec } from "./spec.ts"
import type { Tensor } from "./tensor.ts"
import type { Mapped } from "./tree.ts"
import * as Tree from "./tree.ts"

/** What a compiled program accepts for an input: an array of the device, of the host, or a number. */
export type Argument = DeviceArray | HostArray | number

/** Everything that can go wrong while a compiled program runs. */
export type RunError = ArrayGone | InputMismatch | DeviceLost | OutOfMemory | UnsupportedDType

const describe = (dtype: DType, shape: Shape): string => `${dtype} [${shape.join(", ")}]`

const describeArgument = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (typeof value === "number") return "a number"
  const { dtype, shape } = value as HostArray
  return describe(dtype, shape)
}

/** A number as an array of shape `[]`, rounded no more than the device does. */
const oneNumber = (value: number, dtype: DType): HostArray => {
  const data: HostData | ReadonlyArray<number> = isFloat(dtype) ? Float64Array.of(value) : [value]
  return makeHost([], data, dtype)
}

/** One input of a program. */
interface Input {
  readonly path: string
  readonly spec: Spec
  readonly length: number
  /** A host array that no kernel reads stays on the host: one element stands for it. */
  readonly isRead: boolean
}

/** One output of a program. */
interface Output {
  readonly dtype: DType
  readonly shape: Shape
  readonly length: number
  /** The input whose memory it may take over. */
  readonly inPlace: number | undefined
}

/** The part of a program that its runs need. */
interface Runnable<I, O> {
  readonly name: string
  readonly inputs: I
  readonly outputs: O
  readonly schedule: Schedule
}

/**
 * Runs a compiled program: checks what it is given, finds memory, hands results on. Everything that
 * can be known before the first run is, because a small program runs in a few microseconds.
 */
export class Runner<I, O> {
  readonly #device: DeviceService
  readonly #executable: Executable
  readonly #name: string
  readonly #inputs: ReadonlyArray<Input>
  readonly #outputs: ReadonlyArray<Output>
  readonly #read: (tree: unknown) => ReadonlyArray<unknown> | undefined
  readonly #fill: (arrays: ReadonlyArray<DeviceArray>) => Mapped<O, Tensor, DeviceArray>
  /** Which inputs lie under each key of the input tree. */
  readonly #under: ReadonlyMap<string, ReadonlyArray<number>>

  constructor(
    device: DeviceService,
    executable: Executable,
    { name, inputs, outputs, schedule }: Runnable<I, O>,
  ) {
    this.#device = device
    this.#executable = executable
    this.#name = name
    const bound = new Set(schedule.steps.flatMap((step) => step.buffers))
    const specs = Tree.entries(inputs) as ReadonlyArray<readonly [string, Spec]>
    this.#inputs = specs.map(([path, spec], i) => ({
      path,
      spec,
      length: sizeOf(spec.shape),
      isRead: bound.has(schedule.inputs[i]),
    }))
    this.#outputs = Tree.leaves<Tensor>(outputs).map(({ dtype, shape }, i) => {
      const pair = schedule.inPlace.find(({ output }) => output === schedule.outputs[i])
      const inPlace = pair === undefined ? undefined : schedule.inputs.indexOf(pair.input)
      return { dtype, shape, length: sizeOf(shape), inPlace }
    })
    this.#read = Tree.reader(inputs)
    this.#fill = Tree.filler<Tensor, DeviceArray, O>(outputs)
    const under = new Map<string, ReadonlyArray<number>>()
    let next = 0
    if (typeof inputs === "object" && inputs !== null) {
      const keys = Object.keys(inputs)
      for (const key of Array.isArray(inputs) ? keys : keys.sort()) {
        const count = Tree.leaves((inputs as Record<string, unknown>)[key]).length
        under.set(
          key,
          Array.from({ length: count }, (_, i) => next + i),
        )
        next += count
      }
    }
    this.#under = under
  }

  /** What is missing or too much in a tree that does not have the structure of the inputs. */
  #misfit(tree: unknown): InputMismatch {
    const program = this.#name
    const given = Tree.entries(tree) as ReadonlyArray<readonly [string, unknown]>
    const names = new Set(given.map(([path]) => path))
    const missing = this.#inputs.find(({ path }) => !names.has(path))
    if (missing !== undefined) {
      const { path, spec } = missing
      const expected = describe(spec.dtype, spec.shape)
      return new InputMismatch({ program, input: path, expected, found: "nothing" })
    }
    const known = new Set(this.#inputs.map(({ path }) => path))
    const [input, value] = given.find(([path]) => !known.has(path)) ?? given.at(-1)!
    const found = describeArgument(value)
    return new InputMismatch({ program, input, expected: "nothing", found })
  }

  /** Why a value cannot be given for an input, or `undefined` where it can. */
  #refuse({ path, spec, length }: Input, value: Argument): ArrayGone | InputMismatch | undefined {
    const mismatch = (found: string): InputMismatch => {
      const expected = describe(spec.dtype, spec.shape)
      return new InputMismatch({ program: this.#name, input: path, expected, found })
    }
    if (typeof value === "number") {
      return spec.shape.length === 0 ? undefined : mismatch("a number")
    }
    if (value.dtype !== spec.dtype || !sameShape(value.shape, spec.shape)) {
      return mismatch(describeArgument(value))
    }
    if (value instanceof DeviceArray) {
      if (value.device !== this.#device) {
        return mismatch(`${describeArgument(value)} of another device (${value.device.info.kind})`)
      }
      return value.gone === undefined ? undefined : goneError(value)
    }
    const found = value.data.length
    return found === length
      ? undefined
      : mismatch(`${describeArgument(value)} with ${found} values`)
  }

  /** Runs once; the arrays that come out belong to `owner`. */
  run(
    tree: unknown,
    donate: ReadonlyArray<string>,
    owner: Set<DeviceArray>,
  ): Effect.Effect<Mapped<O, Tensor, DeviceArray>, RunError, Scope.Scope> {
    const values = this.#read(tree) as ReadonlyArray<Argument> | undefined
    if (values === undefined) return Effect.fail(this.#misfit(tree))
    for (let i = 0; i < values.length; i++) {
      const problem = this.#refuse(this.#inputs[i], values[i])
      if (problem !== undefined) return Effect.fail(problem)
    }
    const donated = new Set<DeviceArray>()
    for (const key of donate) {
      for (const i of this.#under.get(key) ?? []) {
        const value = values[i]
        if (value instanceof DeviceArray) donated.add(value)
      }
    }
    /** Buffers that belong to this run until it hands them on. */
    const held = new Set<DeviceBuffer>()
    return Effect.ensuring(
      this.#execute(values, donated, held, owner),
      Effect.sync(() => {
        for (const buffer of held) this.#device.free(buffer)
      }),
    )
  }

  readonly #execute = Effect.fnUntraced(function* (
    this: Runner<I, O>,
    values: ReadonlyArray<Argument>,
    donated: ReadonlySet<DeviceArray>,
    held: Set<DeviceBuffer>,
    owner: Set<DeviceArray>,
  ): Effect.fn.Return<Mapped<O, Tensor, DeviceArray>, DeviceLost | OutOfMemory | UnsupportedDType> {
    const device = this.#device
    const inputs: Array<DeviceBuffer> = []
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      if (value instanceof DeviceArray) {
        inputs.push(value.buffer)
        continue
      }
      const { spec, isRead, length } = this.#inputs[i]
      const { dtype, data } = typeof value === "number" ? oneNumber(value, spec.dtype) : value
      const buffer = yield* device.allocate(dtype, isRead ? length : 1)
      held.add(buffer)
      inputs.push(buffer)
      if (isRead) yield* device.write(buffer, dtype, data)
    }
    // Memory is handed on only where nobody else looks at it: not when it is given for two inputs.
    const seen = new Map<DeviceBuffer, number>()
    for (const buffer of inputs) seen.set(buffer, (seen.get(buffer) ?? 0) + 1)
    const reusable = new Set<DeviceBuffer>()
    for (const { buffer } of donated) if (seen.get(buffer) === 1) reusable.add(buffer)
    const outputs: Array<DeviceBuffer> = []
    for (const { dtype, length, inPlace } of this.#outputs) {
      const taken = inPlace === undefined ? undefined : inputs[inPlace]
      if (taken !== undefined && reusable.delete(taken)) {
        outputs.push(taken)
        continue
      }
      const buffer = yield* device.allocate(dtype, length)
      held.add(buffer)
      outputs.push(buffer)
    }
    for (const array of donated) {
      array.leave(`it was donated to ${this.#name}`)
      held.add(array.buffer)
    }
    yield* this.#executable.run(inputs, outputs)
    const arrays = this.#outputs.map(({ shape, dtype }, i) => {
      held.delete(outputs[i])
      return new DeviceArray(device, outputs[i], shape, dtype, owner)
    })
    return this.#fill(arrays)
  })
}
