import { pullback } from "./pullback.ts"
import { ShapeError } from "./errors.ts"
import { sha256 } from "./hash.ts"
import type { CustomKernel, Operand } from "./ir/kernel.ts"
import type { WasmCode, WasmKit } from "./kernel/wasm_abi.ts"
import type { WgslCode, WgslTarget } from "./kernel/wgsl_abi.ts"
import type { Call } from "./ops/call.ts"
import { makeCall } from "./ops/call.ts"
import type { Attributes } from "./ops/operation.ts"
import { input } from "./ops/source.ts"
import { makeSchedule } from "./schedule/schedule.ts"
import { sizeOf } from "./shape.ts"
import type { Tensor, TensorType } from "./tensor.ts"

/** What a hand-written kernel is told about the use it is written for. */
export interface KernelShapes<A> {
  readonly inputs: ReadonlyArray<TensorType>
  readonly outputs: ReadonlyArray<TensorType>
  readonly attributes: A
}

/** Parts of a kernel's {@link define}. */
export interface KernelDefinition<A extends Attributes> {
  /** What it is called in errors and in `explain`. Unique among the kernels of a program. */
  readonly name: string
  /**
   * What it computes, in ordinary tensor code: this gives it its meaning, its result shapes, its
   * gradient and the way it runs where no code of its own fits.
   */
  readonly reference: (inputs: ReadonlyArray<Tensor>, attributes: A) => ReadonlyArray<Tensor>
  /**
   * Code for the CPU over the inputs and then the results as operands; `undefined` where it has none
   * for these shapes.
   */
  readonly wasm?: (kit: WasmKit, shapes: KernelShapes<A>) => WasmCode | undefined
  /** Code for a GPU, likewise. */
  readonly wgsl?: (target: WgslTarget, shapes: KernelShapes<A>) => WgslCode | undefined
  /**
   * Gradients with respect to the inputs, given those with respect to the results (`undefined` for
   * zeros). Default: the gradient of the reference.
   */
  readonly vjp?: (
    gradients: ReadonlyArray<Tensor | undefined>,
    context: {
      readonly inputs: ReadonlyArray<Tensor>
      readonly outputs: ReadonlyArray<Tensor>
      readonly attributes: A
    },
  ) => ReadonlyArray<Tensor | undefined>
}

const describe = (types: ReadonlyArray<TensorType>): string =>
  types.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`).join(" ")

const attributeText = (attributes: Attributes): string =>
  Object.keys(attributes)
    .sort()
    .map((key) => `${key}=${String(attributes[key])}`)
    .join(" ")

/**
 * Makes an operation of a kernel that somebody wrote by hand. The kernel optimises its reference and
 * never defines it: the same program gives the same results on a device that has no use for the
 * hand-written code.
 *
 * Throws `ShapeError` where there are no inputs or no results.
 *
 * @example
 * ```ts
 * import { Kernel, Program, Spec, Tensor } from "@espalier/tensor"
 *
 * const double = Kernel.define({
 *   name: "double",
 *   reference: ([x]) => [Tensor.add(x, x)],
 *   wgsl: (target, { outputs: [{ shape }] }) => ({
 *     code: `
 *       @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
 *         ${target.operand(1)}[id.x] = 2.0 * ${target.operand(0)}[id.x];
 *       }`,
 *     workgroups: [shape[0], 1, 1],
 *   }),
 * })
 * const program = Program.make("twice", { x: Spec.f32([4]) }, ({ x }) => double([x], {})[0])
 * console.log(program.schedule.steps[0].kernel.name) // double
 * ```
 */
export const define = <A extends Attributes = Record<string, never>>(
  definition: KernelDefinition<A>,
): ((inputs: ReadonlyArray<Tensor>, attributes: A) => ReadonlyArray<Tensor>) => {
  const { name, reference, wasm, wgsl, vjp } = definition
  const source = sha256([reference, wasm, wgsl].map(String).join("\n"))
  return (inputs, attributes) => {
    const placeholders = inputs.map((x, i) => input(i, String(i), x.shape, x.dtype))
    const found = reference(placeholders, attributes)
    if (inputs.length === 0 || found.length === 0) {
      const shapes = inputs.map(({ shape }) => shape)
      throw new ShapeError({ operation: name, shapes, problem: "needs inputs and results" })
    }
    const results = found.map(({ shape, dtype }) => ({ shape, dtype }))
    const shapes = { inputs: placeholders, outputs: results, attributes }
    const key = `${name} ${source} ${describe(inputs)} ${attributeText(attributes)}`
    const operands = (types: ReadonlyArray<TensorType>, access: Operand["access"]) =>
      types.map(({ dtype, shape }): Operand => ({ dtype, length: sizeOf(shape), access }))
    const written = results.map((_, i) => i)
    const call: Call = {
      name,
      key,
      results,
      lower: () => {
        const kernel: CustomKernel = {
          kind: "custom",
          name,
          key,
          operands: [...operands(inputs, "read"), ...operands(results, "write")],
          reference: makeSchedule(name, placeholders, found),
          ...(wasm === undefined ? {} : { wasm: (kit) => wasm(kit, shapes) }),
          ...(wgsl === undefined ? {} : { wgsl: (target) => wgsl(target, shapes) }),
        }
        return { kernel, written }
      },
      pullback: (gradients, given, result) =>
        vjp === undefined
          ? pullback(reference(given, attributes), gradients, given)
          : vjp(gradients, { inputs: given, outputs: written.map(result), attributes }),
    }
    return makeCall(call, inputs)
  }
}
