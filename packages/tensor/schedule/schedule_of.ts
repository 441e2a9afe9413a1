import type { Kernel } from "../ir/kernel.ts"
import type { Repeat, Schedule } from "../ir/schedule.ts"

/**
 * A program of one kernel: operands that are read are its inputs, those that are written its outputs.
 * It has no hash, so that no device keeps anything of it under that name.
 */
export const scheduleOf = (
  kernel: Kernel,
  {
    inPlace = [],
    repeats = [],
  }: { readonly inPlace?: Schedule["inPlace"]; readonly repeats?: ReadonlyArray<Repeat> } = {},
): Schedule => {
  const ids = (access: "read" | "write") =>
    kernel.operands.flatMap((operand, id) => (operand.access === access ? [id] : []))
  return {
    name: kernel.name,
    hash: "",
    buffers: kernel.operands.map(({ dtype, length, access }, id) => ({
      id,
      dtype,
      length,
      role: access === "read" ? "input" : "output",
    })),
    steps: [{ kernel, buffers: kernel.operands.map((_, id) => id) }],
    repeats,
    arenaBytes: 0,
    inputs: ids("read"),
    outputs: ids("write"),
    inPlace,
  }
}
