import type { Ir } from "@espalier/tensor"
import type { Bindings, Lowered } from "./common.ts"
import { lowerContract } from "./contract.ts"
import { lowerCustom } from "./custom.ts"
import { lowerMap } from "./map.ts"
import { lowerReduce } from "./reduce.ts"
import { lowerRows } from "./rows.ts"
import { lowerScan } from "./scan.ts"
import { lowerScatter } from "./scatter.ts"
import type { Strategy } from "./strategy.ts"

/** The WGSL of a kernel: one template for each kind, chosen and shaped by the strategy. */
export const lowerKernel = (kernel: Ir.Kernel, bound: Bindings, strategy: Strategy): Lowered => {
  switch (kernel.kind) {
    case "map":
      return lowerMap(kernel, bound, strategy)
    case "reduce":
      return lowerReduce(kernel, bound, strategy)
    case "scan":
      return lowerScan(kernel, bound, strategy)
    case "contract":
      return lowerContract(kernel, bound, strategy)
    case "scatter":
      return lowerScatter(kernel, bound, strategy)
    case "rows":
      return lowerRows(kernel, bound, strategy)
    case "custom":
      return lowerCustom(kernel, bound, strategy)
  }
}
