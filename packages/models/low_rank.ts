import type { CompileError, Device } from "@espalier/tensor"
import { DeviceArray, HostArray, Program, Spec, Tensor } from "@espalier/tensor"
import { Effect, Result, Schema } from "effect"
import type { CausalLM, NamedLinear, Tree } from "./causal_lm.ts"
import { parameterSpecs } from "./causal_lm.ts"
import { makeRandom } from "./random.ts"

type T = Tensor.Tensor

/** How the weights of some linears are changed by matrices of low rank. */
export interface LowRankOptions {
  /** Columns of B and rows of A. */
  readonly rank: number
  /** The change is B · A times `alpha` / `rank`; `alpha` is `rank` by default. */
  readonly alpha?: number
  /** `lora` (default): W + B·A. `dora`: its rows, made of length 1, times trained magnitudes. */
  readonly kind?: "lora" | "dora"
  /** Which linears are changed; all of the blocks' by default. */
  readonly linears?: (linear: NamedLinear) => boolean
  /** Of the first values of A; 0. */
  readonly seed?: number
  /** For pruned models: a weight that is 0 stays 0, bit for bit; false. */
  readonly keepZeros?: boolean
}

/** What is trained of one linear of shape [outputs, inputs]. */
export interface LowRankLinear<A> {
  /** [rank, inputs] */
  readonly a: A
  /** [outputs, rank]; zeros at first. */
  readonly b: A
  /** [outputs], of DoRA: the lengths of the weight's rows at first. */
  readonly magnitude?: A
}

/** What is trained, by the path of the linear. */
export type LowRankParameters<A> = Readonly<Record<string, LowRankLinear<A>>>

/** The adapters of one model. */
export interface LowRank {
  /** Their first values, with which the model is as it was. */
  readonly parameters: LowRankParameters<HostArray.HostArray>
  /** How many numbers are trained. */
  readonly count: number
  /** The model's traced parameters with the changed weights; everything else is passed on. */
  readonly apply: (base: Tree, adapters: LowRankParameters<T>) => Tree
  /** A plain model whose weights are those of {@link LowRank.apply}: nothing extra when it runs. */
  readonly merge: (
    model: CausalLM,
    adapters: LowRankParameters<HostArray.HostArray>,
  ) => Effect.Effect<CausalLM, Program.RunError | CompileError, Device>
}

/** Adapters that make no sense for a model. */
export class InvalidLowRank extends Schema.TaggedError<InvalidLowRank>()("InvalidLowRank", {
  option: Schema.Literals(["rank", "alpha", "linears"]),
  found: Schema.String,
  expected: Schema.String,
  hint: Schema.String,
}) {
  override get message(): string {
    return `the ${this.option} of the adapters is ${this.found}, not ${this.expected}. ${this.hint}`
  }
}

/** Rows of no length are left as they are. */
const smallestLength = 1e-12

const lengthsOf = ({ shape, data }: HostArray.HostArray): HostArray.HostArray => {
  const [rows, columns] = shape
  const lengths = Float32Array.from({ length: rows }, (_, row) => {
    let sum = 0
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += data[i] * data[i]
    return Math.sqrt(sum)
  })
  return HostArray.make([rows], lengths)
}

/** The first A [rank, inputs] of a change of low rank: even in ±1/√inputs, as in PyTorch's linears and LoRA. */
export const firstLowRankA = (rank: number, inputs: number, seed: number): HostArray.HostArray => {
  const random = makeRandom(seed)
  const bound = 1 / Math.sqrt(inputs)
  const draw = () => bound * (random.below(2 ** 24) / 2 ** 23 - 1)
  return HostArray.make([rank, inputs], Float32Array.from({ length: rank * inputs }, draw))
}

/** The weight in the place of `weight`, [outputs, inputs]. */
const effective = (
  weight: T,
  { a, b, magnitude }: LowRankLinear<T>,
  { rank, alpha = rank, keepZeros = false }: LowRankOptions,
): T => {
  const sum = Tensor.add(weight, Tensor.mul(Tensor.matmul(b, a), alpha / rank))
  const changed = keepZeros ? Tensor.where(Tensor.notEqual(weight, 0), sum, 0) : sum
  if (magnitude === undefined) return changed
  const squares = Tensor.sum(Tensor.square(changed), [1], { keepDims: true })
  // Taken for a constant by the gradient, as the authors do: it saves memory and costs no quality.
  const lengths = Tensor.stopGradient(Tensor.maximum(Tensor.sqrt(squares), smallestLength))
  return Tensor.mul(changed, Tensor.div(Tensor.expandDims(magnitude, 1), lengths))
}

const check = (
  model: CausalLM,
  chosen: ReadonlyArray<NamedLinear>,
  { rank, alpha = rank }: LowRankOptions,
): InvalidLowRank | undefined => {
  const error = (fields: ConstructorParameters<typeof InvalidLowRank>[0]) =>
    new InvalidLowRank(fields)
  if (!Number.isInteger(rank) || rank < 1) {
    const hint = "Give a small one such as 8."
    const expected = "a whole number from 1"
    return error({ option: "rank", found: String(rank), expected, hint })
  }
  if (!Number.isFinite(alpha) || alpha <= 0) {
    const hint = "Leave it out, or give the rank or twice the rank."
    return error({ option: "alpha", found: String(alpha), expected: "above 0", hint })
  }
  if (chosen.length === 0) {
    const [block] = model.blocks
    const names = block === undefined ? "none" : block.linears.map(({ name }) => name).join(", ")
    const hint = `The linears of a block are: ${names}.`
    return error({ option: "linears", found: "none", expected: "one or more", hint })
  }
  const narrow = chosen.find(({ shape }) => rank > Math.min(...shape))
  if (narrow === undefined) return undefined
  const [outputs, inputs] = narrow.shape
  return error({
    option: "rank",
    found: String(rank),
    expected: `at most ${Math.min(outputs, inputs)}`,
    hint: `${narrow.path} is ${outputs} × ${inputs}: give a smaller rank, or leave it out.`,
  })
}

/**
 * LoRA (Hu et al. 2022): W + (alpha/rank) · B·A with W frozen, and DoRA (Liu et al. 2024): m · (W +
 * (alpha/rank) · B·A) / ‖W + (alpha/rank) · B·A‖ with the norm of each row, on any linears of a model's
 * blocks. B is 0 and m is ‖W‖ at first, so that training begins at the model. Give `apply` of the base
 * (a constant) and the adapters to the loss, and `merge` in the end.
 *
 * Fails with {@link InvalidLowRank}.
 *
 * @example
 * ```ts
 * import { Result } from "effect"
 * import { makeGpt2, makeGpt2Config, makeLowRank, gpt2ParameterSpecs } from "@espalier/models"
 * import type { Spec } from "@espalier/tensor"
 * import { HostArray, Tree } from "@espalier/tensor"
 *
 * const config = Result.getOrThrow(makeGpt2Config({
 *   dimension: 8, hiddenDimension: 16, layers: 1, heads: 2, vocabularySize: 16, contextLength: 8,
 * }))
 * const parameters = Tree.map(gpt2ParameterSpecs(config), ({ shape }: Spec) => HostArray.zeros(shape))
 * const adapters = Result.getOrThrow(makeLowRank(makeGpt2(config, parameters), {
 *   rank: 2, linears: ({ name }) => name === "up",
 * }))
 * console.log(adapters.count) // 2 · (8 + 16)
 * ```
 */
export const makeLowRank = (
  model: CausalLM,
  options: LowRankOptions,
): Result.Result<LowRank, InvalidLowRank> => {
  const { rank, kind = "lora", linears = () => true, seed = 0 } = options
  const perBlock = model.blocks.map((block) => ({ block, chosen: block.linears.filter(linears) }))
  const wrong = check(
    model,
    perBlock.flatMap(({ chosen }) => chosen),
    options,
  )
  if (wrong !== undefined) return Result.fail(wrong)
  let streams = Math.imul(seed + 1, 0x9e3779b1)
  const entries = perBlock.flatMap(({ block, chosen }) => {
    const own = block.parameters(model.parameters) as Readonly<Record<string, HostArray.HostArray>>
    return chosen.map(({ name, path, shape: [outputs, inputs] }) => {
      const linear: LowRankLinear<HostArray.HostArray> = {
        a: firstLowRankA(rank, inputs, streams++),
        b: HostArray.zeros([outputs, rank]),
        ...(kind === "dora" ? { magnitude: lengthsOf(own[name]) } : {}),
      }
      return [path, linear] as const
    })
  })
  const apply: LowRank["apply"] = (base, adapters) =>
    perBlock.reduce((tree, { block, chosen }) => {
      if (chosen.length === 0) return tree
      const own = block.parameters(tree) as Readonly<Record<string, T>>
      const changed = chosen.map(
        ({ name, path }) => [name, effective(own[name], adapters[path], options)] as const,
      )
      return block.replace(tree, { ...own, ...Object.fromEntries(changed) })
    }, base)
  return Result.succeed({
    parameters: Object.fromEntries(entries),
    count: entries.reduce(
      (sum, [, { a, b, magnitude }]) =>
        sum + a.data.length + b.data.length + (magnitude?.data.length ?? 0),
      0,
    ),
    apply,
    merge: (other, adapters) =>
      Effect.gen(function* () {
        const inputs = { base: parameterSpecs(other), adapters: Spec.of(adapters) }
        const program = Program.make("merge", inputs, (given) =>
          apply(given.base, given.adapters as LowRankParameters<T>),
        )
        const run = yield* Program.compile(program)
        const merged = yield* run({ base: other.parameters, adapters })
        return other.withParameters(yield* DeviceArray.toHostTree(merged))
      }).pipe(Effect.scoped),
  })
}
