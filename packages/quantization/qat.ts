import type { Programs } from "@espalier/calibration"
import { makePrograms } from "@espalier/calibration"
import type { CausalLM, NamedLinear } from "@espalier/models"
import { forward, makeRandom, stackWindows, windowCrossEntropy } from "@espalier/models"
import type { Optimizer, TrainError } from "@espalier/nn"
import { Optimizers, Schedules, train } from "@espalier/nn"
import type { CompileError, Device } from "@espalier/tensor"
import { DeviceArray, HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import type { Scope } from "effect"
import { Effect, Schema } from "effect"
import type { RangeSearch } from "./grid.ts"
import { checkGrid, gridOf } from "./grid.ts"
import type { ScaleUnderflow } from "./grid.ts"
import { overallBits } from "./quantize.ts"
import type { QuantizedWeight } from "./quantized_weight.ts"
import { bitsPerWeight, dequantize, floatsOf } from "./quantized_weight.ts"
import type { GroupWidthMismatch, InvalidScheme, Scheme } from "./scheme.ts"
import { checkGroup, checkScheme, groupCount, levelsOf } from "./scheme.ts"

type T = Tensor.Tensor
type Host = HostArray.HostArray
type Arrays<A> = Readonly<Record<string, A>>

/** What stays as it is while a linear is trained. */
export interface FrozenLinear<A> {
  /** [outputs, inputs]: the weights before quantisation, or what a method begins from. */
  readonly weight: A
  /** [outputs, groups], `f32`. */
  readonly scales: A
  readonly zeros: A
}

/** A quantised linear in a traced program. */
export interface TracedLinear {
  readonly frozen: FrozenLinear<T>
  readonly trained: Arrays<T>
  readonly scheme: Scheme
}

/** Codes and grids as a program gives them, `f32`. */
export interface TracedQuantized {
  /** [outputs, inputs]. */
  readonly codes: T
  /** [outputs, groups]. */
  readonly scales: T
  readonly zeros: T
}

/** How the weights of quantised linears depend on what is trained. */
export interface QatMethod {
  /** As in messages, progress and reports: `dl-qat`. */
  readonly name: string
  /** What is trained of a linear, with its first values; `seed` is its own. */
  readonly initial: (linear: NamedLinear, scheme: Scheme, seed: number) => Arrays<Host>
  /** The weight that the training loss sees, [outputs, inputs]. */
  readonly weight: (linear: TracedLinear) => T
  /** The integers that the weight becomes in the end. */
  readonly quantized: (linear: TracedLinear) => TracedQuantized
  /** How much faster an array is trained than `learningRate` says, by its name; 1. */
  readonly rateOf?: (name: string) => number
}

/** Options of {@link trainQuantized}. */
export interface QatOptions {
  readonly scheme: Scheme
  /** Token windows of equal length to train on. */
  readonly windows: ReadonlyArray<Int32Array>
  /** 300. */
  readonly steps?: number
  /** Windows of one step; 8. */
  readonly batch?: number
  /** Peak of a warm-up and cosine schedule; 3e-3. */
  readonly learningRate?: number
  /**
   * `distillation`: the divergence (KL) of the quantised model's next tokens from those of the model as
   * it was; `lm`: the cross-entropy of the text. Default: `distillation`.
   */
  readonly loss?: "distillation" | "lm"
  /** Whose next tokens `distillation` learns, for instance the model before it was pruned; `model`. */
  readonly teacher?: CausalLM
  /** For pruned models: a weight that is 0 stays 0, in training and in the integers; false. */
  readonly keepZeros?: boolean
  /** How the range of a group is chosen; `mse`. */
  readonly range?: RangeSearch
  /** Begins from these weights and grids instead, by the path of the linear. */
  readonly start?: ReadonlyMap<
    string,
    { readonly weight: Host } & Pick<QuantizedWeight, "scales" | "zeros">
  >
  /** Chooses windows and first values; 0. */
  readonly seed?: number
}

/** A model that was trained with its weights on a grid. */
export interface QatResult {
  /** The model with the weights that the codes stand for, in `f32`. */
  readonly model: CausalLM
  /** By the path of the linear; not those whose zero points are no whole numbers. */
  readonly weights: ReadonlyMap<string, QuantizedWeight>
  /** Over all quantised weights, scales and zero points included. */
  readonly bitsPerWeight: number
  /** Numbers that were trained, over quantised weights. */
  readonly trainedShare: number
  readonly trainTokens: number
  readonly losses: ReadonlyArray<number>
}

/** A teacher whose predictions are of other tokens than the student's. */
export class TeacherMismatch extends Schema.TaggedError<TeacherMismatch>()("TeacherMismatch", {
  vocabularySize: Schema.Int,
  /** Of the teacher. */
  found: Schema.Int,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the teacher predicts ${this.found} tokens, the model ${this.vocabularySize}. ${this.hint}`
  }
}

const checkTeacher = ({ vocabularySize }: CausalLM, teacher: CausalLM) => {
  const found = teacher.vocabularySize
  const hint = "Let a model with the same tokenizer teach, or leave it out."
  return found === vocabularySize ? undefined : new TeacherMismatch({ vocabularySize, found, hint })
}

/** The share of numbers that are trained: of the weights of some linears. */
export const trainedShareOf = (
  method: Pick<QatMethod, "initial">,
  linears: ReadonlyArray<NamedLinear>,
  scheme: Scheme,
): number => {
  const counts = new Map<string, number>()
  // Linears of one shape are alike: first values need not be drawn for each of them.
  const countOf = (linear: NamedLinear): number => {
    const key = linear.shape.join("x")
    const arrays = () => Object.values(method.initial(linear, scheme, 0))
    const count = counts.get(key) ?? arrays().reduce((sum, { data }) => sum + data.length, 0)
    counts.set(key, count)
    return count
  }
  const trained = linears.reduce((sum, linear) => sum + countOf(linear), 0)
  return trained / linears.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0)
}

/** Windows in an order that is drawn anew for every pass over all of them. */
const drawWindows = (
  windows: ReadonlyArray<Int32Array>,
  batch: number,
  seed: number,
): ((step: number) => ReadonlyArray<Int32Array>) => {
  const orders = new Map<number, ReadonlyArray<number>>()
  const orderOf = (pass: number): ReadonlyArray<number> => {
    const known = orders.get(pass)
    if (known !== undefined) return known
    const random = makeRandom((Math.imul(seed + 1, 0x9e3779b1) + pass) >>> 0)
    const order = windows.map((_, i) => i)
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      ;[order[i], order[j]] = [order[j], order[i]]
    }
    orders.set(pass, order)
    return order
  }
  return (step) =>
    Array.from({ length: batch }, (_, i) => {
      const at = (step - 1) * batch + i
      return windows[orderOf(Math.floor(at / windows.length))[at % windows.length]]
    })
}

const logSoftmax = (logits: T): T => Tensor.sub(logits, Tensor.logSumExp(logits))

/** Σ p (log p − log q) over the vocabulary, mean over all tokens. */
const divergence = (teacher: T, student: T): T => {
  const logP = Tensor.stopGradient(logSoftmax(teacher))
  const difference = Tensor.sub(logP, logSoftmax(student))
  const axis = teacher.shape.length - 1
  return Tensor.mean(Tensor.sum(Tensor.mul(Tensor.exp(logP), difference), [axis]))
}

const withRates = (optimizer: Optimizer, rateOf: (name: string) => number): Optimizer => ({
  ...optimizer,
  update: (parameter, gradient, state, numbers, path) => {
    const rate = rateOf(path.slice(path.lastIndexOf(".") + 1))
    const learningRate = Tensor.mul(numbers["learningRate"], rate)
    return optimizer.update(parameter, gradient, state, { ...numbers, learningRate }, path)
  },
})

/** The parameters of a model with other weights in the place of its linears. */
const replaceLinears = (
  model: CausalLM,
  parameters: unknown,
  weightOf: (linear: NamedLinear, own: unknown) => unknown,
): unknown =>
  model.blocks.reduce((all, block) => {
    const own = block.parameters(all)
    const changed = block.linears.map(
      (linear) => [linear.name, weightOf(linear, own[linear.name])] as const,
    )
    return block.replace(all, { ...own, ...Object.fromEntries(changed) })
  }, parameters)

const linearsOf = (model: CausalLM): ReadonlyArray<NamedLinear> =>
  model.blocks.flatMap(({ linears }) => linears)

const startOf = (
  model: CausalLM,
  { scheme, range = "mse", start }: QatOptions,
): Effect.Effect<Arrays<FrozenLinear<Host>>, GroupWidthMismatch | ScaleUnderflow> =>
  Effect.gen(function* () {
    const frozen: Record<string, FrozenLinear<Host>> = {}
    for (const block of model.blocks) {
      const own = block.parameters(model.parameters) as Arrays<Host>
      for (const { name, path, shape } of block.linears) {
        const mismatch = checkGroup(scheme, path, shape[1])
        if (mismatch !== undefined) return yield* mismatch
        const given = start?.get(path)
        const weight = given?.weight ?? own[name]
        const { scales, zeros } = given ?? gridOf(floatsOf(weight), shape[1], scheme, range)
        const perGroup = [shape[0], groupCount(scheme, shape[1])]
        const problem = checkGrid({ scales }, path, perGroup[1])
        if (problem !== undefined) return yield* problem
        frozen[path] = {
          weight,
          scales: HostArray.make(perGroup, scales),
          zeros: HostArray.make(perGroup, Float32Array.from(zeros)),
        }
      }
    }
    return frozen
  })

/** Codes of the weights that are 0 become zero points, in place. */
const keepZeroCodes = (codes: Float32Array, weight: Float32Array, zeros: Float32Array): void => {
  const width = weight.length / zeros.length
  for (let i = 0; i < weight.length; i++) {
    if (weight[i] === 0) codes[i] = zeros[Math.floor(i / width)]
  }
}

/** A linear as it is after training. */
interface FinishedLinear {
  /** The weight that its codes stand for, [outputs, inputs]. */
  readonly weight: Host
  /** Its integers, where the zero points are whole numbers too. */
  readonly quantized: QuantizedWeight | undefined
  readonly bitsPerWeight: number
}

/** Bits of a zero point that is no whole number. */
const realZeroBits = 16

/** Reads the integers of one linear out of a program of its own: those of the training loss. */
const finishLinear = Effect.fnUntraced(function* (
  programs: Programs,
  method: QatMethod,
  { path, shape }: NamedLinear,
  frozen: FrozenLinear<Host>,
  trained: Arrays<Host>,
  { scheme, dense }: { readonly scheme: Scheme; readonly dense: Host | undefined },
) {
  const inputs = { frozen: Spec.of(frozen), trained: Spec.of(trained) }
  const run = yield* programs.get(`${method.name} ${shape.join("x")}`, () =>
    Program.make("quantized", inputs, (given) => ({
      ...method.quantized({ ...given, scheme }),
    })),
  )
  const made = yield* run({ frozen, trained })
  const [codes, scales, zeros] = yield* Effect.forEach(
    [made.codes, made.scales, made.zeros],
    (array) => Effect.map(DeviceArray.toHost(array), floatsOf),
  )
  const groups = groupCount(scheme, shape[1])
  const problem = checkGrid({ scales }, path, groups)
  if (problem !== undefined) return yield* problem
  if (dense !== undefined) keepZeroCodes(codes, floatsOf(dense), zeros)
  const levels = levelsOf(scheme)
  const isWhole = zeros.every((zero) => Number.isInteger(zero) && zero >= 0 && zero <= levels)
  const grid = { shape, scheme, codes, scales }
  const bits = bitsPerWeight({ shape, scheme })
  const finished: FinishedLinear = {
    weight: dequantize({ ...grid, zeros }),
    quantized: isWhole
      ? { ...grid, codes: Uint8Array.from(codes), zeros: Uint8Array.from(zeros) }
      : undefined,
    bitsPerWeight: isWhole
      ? bits
      : bits + (groups * (realZeroBits - (scheme.symmetric ? 0 : scheme.bits))) / shape[1],
  }
  return finished
}, Effect.scoped)

/**
 * Trains what a method trains of a model's quantised linears, end to end, and gives the model on its
 * integers. Everything else of the model stays as it is. Goes on from the last checkpoint where there
 * is a store for them.
 *
 * Fails with `InvalidScheme`, `TeacherMismatch`, `GroupWidthMismatch` and `ScaleUnderflow` before
 * anything runs, and with `NonFinite` where the loss diverges.
 */
export const trainQuantized = Effect.fn("trainQuantized")(function* (
  model: CausalLM,
  method: QatMethod,
  options: QatOptions,
): Effect.fn.Return<
  QatResult,
  InvalidScheme | GroupWidthMismatch | ScaleUnderflow | TeacherMismatch | TrainError | CompileError,
  Device | Scope.Scope
> {
  const { teacher = model, keepZeros = false } = options
  const invalid = checkScheme(options.scheme) ?? checkTeacher(model, teacher)
  if (invalid !== undefined) return yield* invalid
  const { scheme, windows, steps = 300, batch = 8, learningRate = 3e-3, seed = 0 } = options
  const linears = linearsOf(model)
  const frozen = yield* startOf(model, options)
  const initial: Record<string, Arrays<Host>> = {}
  for (const [i, linear] of linears.entries()) {
    initial[linear.path] = method.initial(linear, scheme, Math.imul(seed, 1009) + i)
  }
  const draw = drawWindows(windows, batch, seed)
  const trained = yield* train({
    name: method.name,
    parameters: initial,
    constants: {
      dense: model.parameters,
      frozen,
      ...(teacher === model ? {} : { teacher: teacher.parameters }),
    },
    batch: (step) => ({ tokens: stackWindows(draw(step)) }),
    loss: (parameters, { tokens }, constants) => {
      const given = parameters as Readonly<Record<string, Arrays<T>>>
      const { dense, frozen: fixed } = constants
      const student = replaceLinears(model, dense, ({ path }, own) => {
        const weight = method.weight({ frozen: fixed[path], trained: given[path], scheme })
        return keepZeros ? Tensor.where(Tensor.notEqual(own as T, 0), weight, 0) : weight
      })
      if (options.loss === "lm") return Tensor.mean(windowCrossEntropy(model, student, tokens))
      const known = forward(teacher, constants.teacher ?? dense, tokens)
      return divergence(known, forward(model, student, tokens))
    },
    optimizer: withRates(
      Optimizers.adamW({ firstDecay: 0.9, secondDecay: 0.95 }),
      method.rateOf ?? (() => 1),
    ),
    clip: 1,
    learningRate: Schedules.warmupCosine({
      peak: learningRate,
      warmup: Math.ceil(steps / 20),
      steps,
      floor: 0,
    }),
    steps,
    items: { count: batch * windows[0].length, unit: "tokens" },
  })
  const programs = yield* makePrograms
  const finished = new Map<string, FinishedLinear>()
  for (const block of model.blocks) {
    const own = block.parameters(model.parameters) as Arrays<Host>
    for (const linear of block.linears) {
      const { name, path } = linear
      const job = { scheme, dense: keepZeros ? own[name] : undefined }
      const arrays = trained.parameters[path]
      finished.set(path, yield* finishLinear(programs, method, linear, frozen[path], arrays, job))
    }
  }
  const parameters = replaceLinears(
    model,
    model.parameters,
    ({ path }) => finished.get(path)!.weight,
  )
  const weights = [...finished].flatMap(([path, { quantized }]) =>
    quantized === undefined ? [] : [[path, quantized] as const],
  )
  const layers = linears.map(({ path, shape }) => ({
    bitsPerWeight: finished.get(path)!.bitsPerWeight,
    size: shape[0] * shape[1],
  }))
  return {
    model: model.withParameters(parameters),
    weights: new Map(weights),
    bitsPerWeight: overallBits(layers),
    trainedShare: trainedShareOf(method, linears, scheme),
    trainTokens: steps * batch * windows[0].length,
    losses: trained.losses,
  }
}, Effect.scoped)
