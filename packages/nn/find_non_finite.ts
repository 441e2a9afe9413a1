import type { HostArray } from "@espalier/tensor"
import { DeviceArray, NonFinite, Program, Spec, Tensor, Tree } from "@espalier/tensor"
import { Effect } from "effect"
import { isFinite32 } from "./stepper.ts"
import type { ParameterTree, TrainStepOptions } from "./train_step.ts"
import { dataSpecs, lossAndGradients, stepNumbers } from "./train_step.ts"

type T = Tensor.Tensor
type OnDevice = DeviceArray.DeviceArray

const damaged = "Look at where it comes from: it was so before the step."
const diverged = "Lower the learning rate or clip the gradients."

/** The first array of a tree that is not finite, in words. */
const firstOf = (tree: unknown): string | undefined => {
  const arrays = Tree.leaves<HostArray.HostArray>(tree)
  for (const [i, [path]] of Tree.entries(tree).entries()) {
    const { data, dtype } = arrays[i]
    if (dtype !== "f32" && dtype !== "f16" && dtype !== "f64") continue
    let bad = 0
    for (const value of data) if (!isFinite32(value)) bad++
    if (bad > 0) return `${path} (${bad} of ${data.length} numbers)`
  }
  return undefined
}

/**
 * What is not finite at a step that changed nothing because of it, by name: a parameter, the batch, the
 * loss, or the gradient of a parameter. Computes the gradients once more.
 */
export const findNonFinite = Effect.fnUntraced(function* <P, B, C>(
  options: TrainStepOptions<P, B, C>,
  given: {
    readonly parameters: ParameterTree<P, OnDevice>
    readonly constants: ParameterTree<C, OnDevice> | undefined
    readonly step: number
    readonly parts: number
    readonly lossScale: number
  },
) {
  const { parameters, constants, step, parts, lossScale } = given
  const error = (node: string, hint: string) =>
    new NonFinite({ program: options.name, node, step, hint })
  const parameter = firstOf(yield* DeviceArray.toHostTree(parameters))
  if (parameter !== undefined) return error(`the parameter ${parameter}`, `${damaged} ${diverged}`)
  const { hyperparameters, ...data } = dataSpecs(options)
  const inputs = { parameters: Spec.of(options.parameters), hyperparameters, ...data }
  type Given = Parameters<Program.Compiled<typeof inputs, unknown>>[0]
  const run = yield* Program.compile(
    Program.make(`${options.name}, gradients`, inputs, (traced) => {
      const { loss, gradients } = lossAndGradients(options, {
        parameters: traced.parameters as ParameterTree<P, T>,
        batch: traced.batch,
        constants: "constants" in traced ? traced.constants : undefined,
        numbers: traced.hyperparameters,
      })
      return { loss, squares: gradients.map((each) => Tensor.sum(Tensor.square(each))) }
    }),
  )
  const paths = Tree.entries(options.parameters).map(([path]) => path)
  for (let part = 0; part < parts; part++) {
    const where = parts === 1 ? "" : ` in part ${part + 1} of ${parts}`
    const batch = options.batch(step, part)
    const odd = firstOf(batch)
    if (odd !== undefined) return error(`${odd} of the batch${where}`, damaged)
    const made = yield* run({
      parameters,
      batch,
      hyperparameters: stepNumbers(options, step, lossScale),
      ...(constants === undefined ? {} : { constants }),
    } as unknown as Given)
    const [loss] = yield* DeviceArray.toArray(made.loss)
    if (!isFinite32(loss)) return error(`the loss${where}`, diverged)
    for (const [i, path] of paths.entries()) {
      const [square] = yield* DeviceArray.toArray(made.squares[i])
      if (!isFinite32(square)) return error(`the gradient of ${path}${where}`, diverged)
    }
  }
  return error("the norm of the gradient", diverged)
}, Effect.scoped)
