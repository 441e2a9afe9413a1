import type * as Jax from "@jax-js/jax"
import { makeTrainStep, Optimizers, Schedules } from "@espalier/nn"
import { DeviceArray, HostArray, Interpreter, Program, Tensor } from "@espalier/tensor"
import type * as Tfjs from "@tensorflow/tfjs"
import { Effect } from "effect"
import type { Case, OwnSubject } from "../case.ts"
import type { Formula } from "../inputs.ts"
import { uniform } from "../inputs.ts"
import { jaxArray } from "../jax_subject.ts"
import type { Subject } from "../protocol.ts"

const rate = 1e-3
const [firstDecay, secondDecay, epsilon] = [0.9, 0.999, 1e-8]
const checkedSteps = 4

interface Formulas {
  readonly weights: Readonly<Record<"w1" | "b1" | "w2" | "b2", Formula>>
  readonly x: Formula
  readonly y: Formula
}

const formulasOf = (batch: number, width: number, hidden: number): Formulas => ({
  weights: {
    w1: { shape: [width, hidden], seed: 11, scale: Math.sqrt(3 / width) },
    b1: { shape: [hidden], seed: 12, scale: 0.1 },
    w2: { shape: [hidden, width], seed: 13, scale: Math.sqrt(3 / hidden) },
    b2: { shape: [width], seed: 14, scale: 0.1 },
  },
  x: { shape: [batch, width], seed: 15 },
  y: { shape: [batch, width], seed: 16 },
})

const host = (formula: Formula) => HostArray.make(formula.shape, uniform(formula))

const ownSubject = ({ weights, x, y }: Formulas) =>
  Effect.gen(function* () {
    const { w1, b1, w2, b2 } = weights
    const parameters = { w1: host(w1), b1: host(b1), w2: host(w2), b2: host(b2) }
    const optimizer = Optimizers.adamW({ firstDecay, secondDecay, epsilon })
    const program = makeTrainStep({
      name: "mlp-adam",
      parameters,
      batch: () => ({ x: host(x), y: host(y) }),
      loss: ({ w1, b1, w2, b2 }, { x, y }) => {
        const hidden = Tensor.relu(Tensor.add(Tensor.matmul(x, w1), b1))
        const found = Tensor.add(Tensor.matmul(hidden, w2), b2)
        return Tensor.mean(Tensor.square(Tensor.sub(found, y)))
      },
      optimizer,
      learningRate: Schedules.constantRate(rate),
    })
    const run = yield* Program.compile(program)
    const zero = ({ shape }: Formula) => HostArray.zeros(shape)
    const zeros = { w1: zero(w1), b1: zero(b1), w2: zero(w2), b2: zero(b2) }
    const start = { parameters, slots: { first: zeros, second: zeros } }
    const batch = yield* DeviceArray.fromHostTree({ x: host(x), y: host(y) })
    let state: Parameters<typeof run>[0]["state"] = yield* DeviceArray.fromHostTree(start)
    let step = 0
    const advance = Effect.gen(function* () {
      step++
      const hyperparameters = optimizer.hyperparameters(step, rate)
      const next = yield* run({ state, batch, hyperparameters }, { donate: ["state"] })
      state = next.state
      const [loss] = yield* DeviceArray.toArray(next.loss)
      DeviceArray.release([next.loss, next.norm])
      return loss
    })
    return {
      values: Effect.all(Array.from({ length: checkedSteps }, () => advance)),
      once: Effect.asVoid(advance),
    } satisfies OwnSubject
  })

/** Losses of the first steps, then further steps. */
const stepSubject = (advance: () => Promise<number>): Subject => ({
  values: async () => {
    const losses: Array<number> = []
    for (let i = 0; i < checkedSteps; i++) losses.push(await advance())
    return losses
  },
  iterate: async (count) => {
    for (let i = 0; i < count; i++) await advance()
  },
})

const tfjsSubject = (tf: typeof Tfjs, { weights, x, y }: Formulas): Subject => {
  const tensor = (formula: Formula) => tf.tensor(uniform(formula), [...formula.shape])
  const [w1, b1, w2, b2] = Object.values(weights).map((formula) => tf.variable(tensor(formula)))
  const [input, target] = [tensor(x), tensor(y)]
  const optimizer = tf.train.adam(rate, firstDecay, secondDecay, epsilon)
  const loss = () =>
    input.matMul(w1).add(b1).relu().matMul(w2).add(b2).sub(target).square().mean().asScalar()
  return stepSubject(async () => {
    const cost = optimizer.minimize(loss, true)!
    const [value] = await cost.data()
    cost.dispose()
    return value
  })
}

type Arrays = Array<Jax.Array>

const jaxSubject = (jax: typeof Jax, { weights, x, y }: Formulas): Subject => {
  const np = jax.numpy
  const loss = ([w1, b1, w2, b2]: Arrays, x: Jax.Array, y: Jax.Array) => {
    const hidden = jax.nn.relu(np.matmul(x, w1).add(b1))
    return np.mean(np.square(np.matmul(hidden, w2).add(b2).sub(y)))
  }
  // A function consumes its arguments; `ref` keeps one for another use.
  const step = jax.jit(
    (
      parameters: Arrays,
      firsts: Arrays,
      seconds: Arrays,
      x: Jax.Array,
      y: Jax.Array,
      corrections: Arrays,
    ) => {
      const kept = parameters.map((parameter) => parameter.ref)
      const [value, gradients] = jax.valueAndGrad(loss)(kept, x, y)
      const [firstCorrection, secondCorrection] = corrections
      const grown = gradients.map((gradient, i) => {
        const first = firsts[i].mul(firstDecay).add(gradient.ref.mul(1 - firstDecay))
        const square = np.square(gradient).mul(1 - secondDecay)
        return { first, second: seconds[i].mul(secondDecay).add(square) }
      })
      const updated = grown.map(({ first, second }, i) => {
        const root = np.sqrt(second.ref.mul(secondCorrection.ref)).add(epsilon)
        const direction = first.ref.mul(firstCorrection.ref).div(root)
        return parameters[i].sub(direction.mul(rate))
      })
      for (const correction of corrections) correction.dispose()
      return [
        value,
        updated,
        grown.map(({ first }) => first),
        grown.map(({ second }) => second),
      ] as [Jax.Array, Arrays, Arrays, Arrays]
    },
  )
  const formulas = Object.values(weights)
  let parameters = formulas.map((formula) => jaxArray(jax, formula))
  let firsts = formulas.map(({ shape }) => np.zeros([...shape]))
  let seconds = formulas.map(({ shape }) => np.zeros([...shape]))
  const [input, target] = [jaxArray(jax, x), jaxArray(jax, y)]
  let steps = 0
  return stepSubject(async () => {
    steps++
    const corrections = [firstDecay, secondDecay].map((decay) =>
      np.array(1 / (1 - Math.pow(decay, steps))),
    )
    const [value, ...next] = step(parameters, firsts, seconds, input.ref, target.ref, corrections)
    ;[parameters, firsts, seconds] = next
    return (await value.data())[0]
  })
}

export const mlpCases = (quick: boolean): ReadonlyArray<Case> => {
  const [batch, width, hidden] = quick ? [8, 16, 32] : [64, 256, 512]
  const formulas = formulasOf(batch, width, hidden)
  const own = ownSubject(formulas)
  return [
    {
      name: "mlp-adam",
      title: `MLP ${width}→${hidden}→${width}, batch ${batch}: forward, backward and Adam`,
      tolerance: 1e-4,
      reference: () =>
        own.pipe(
          Effect.flatMap(({ values }) => values),
          Effect.scoped,
          Effect.provide(Interpreter.layer),
          Effect.runPromise,
        ),
      implementations: {
        ours: own,
        tfjs: (tf) => tfjsSubject(tf, formulas),
        jax: (jax) => jaxSubject(jax, formulas),
        torch: {
          kind: "mlp-adam",
          ...formulas,
          optimizer: { decays: [firstDecay, secondDecay], rate, epsilon },
          checkedSteps,
        },
      },
      targets: [
        { kind: "speed", than: "jax", atLeast: 1 },
        { kind: "relativeTime", than: "torch", atMost: 1.5 },
      ],
    },
  ]
}
