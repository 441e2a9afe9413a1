import type { Ir } from "@espalier/tensor"
import { WgslBuilder } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import type { Strategy } from "./strategy.ts"

/** What the device tells hand-written kernels; {@link Target.helpers} is what they asked for. */
const targetFor = (bound: Bindings | undefined, strategy: Strategy) => {
  const helpers = new Set<WgslBuilder.HelperName>()
  const target = {
    software: strategy.software,
    maximumInvocations: strategy.maximumInvocations,
    workgroupBytes: strategy.workgroupBytes,
    subgroup: strategy.subgroup,
    operand: (index: number) => `b${bound?.operandBinding[index] ?? index}`,
    helper: (name: WgslBuilder.HelperName) => {
      helpers.add(name)
      return name
    },
  }
  return { target, helpers }
}

/** True where a hand-written kernel has code for the adapter. */
export const hasCode = (kernel: Ir.CustomKernel, strategy: Strategy): boolean =>
  kernel.wgsl?.(targetFor(undefined, strategy).target) !== undefined

const directive = /^\s*(?:enable|requires|diagnostic)\b.*;\s*$/

/** The hand-written code under the declarations of its operands and helpers. */
export const lowerCustom = (
  kernel: Ir.CustomKernel,
  bound: Bindings,
  strategy: Strategy,
): Lowered => {
  const { target, helpers } = targetFor(bound, strategy)
  const written = kernel.wgsl?.(target)
  if (written === undefined) throw new Error("it has no code for this adapter")
  const lines = written.code.split("\n")
  const half = bound.bindings.some(({ dtype }) => dtype === "f16")
  const directives = new Set([
    ...(half ? ["enable f16;"] : []),
    ...lines.filter((line) => directive.test(line)).map((line) => line.trim()),
  ])
  const code = [
    ...directives,
    ...WgslBuilder.declareBindings(bound.bindings),
    ...WgslBuilder.functionText(helpers),
    ...lines.filter((line) => !directive.test(line)),
    "",
  ].join("\n")
  return { code, workgroups: written.workgroups }
}
