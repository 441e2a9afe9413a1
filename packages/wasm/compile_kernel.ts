import type { Ir } from "@espalier/tensor"
import { compileContract } from "./contract.ts"
import { compileCustom } from "./custom.ts"
import type { Target } from "./emitter.ts"
import { KernelModule } from "./emitter.ts"
import type { Stage } from "./loops.ts"
import { compileMap } from "./map.ts"
import { compileReduce } from "./reduce.ts"
import { compileRows } from "./rows.ts"
import { compileScan } from "./scan.ts"
import { compileScatter } from "./scatter.ts"

/** Code for one kernel: its stages run one after the other, each shared between threads. */
export interface CompiledKernel {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly stages: ReadonlyArray<Stage>
  /** Working memory of each thread. */
  readonly scratchBytes: number
  /** Working memory that all threads see, after the scratch of the last thread. */
  readonly sharedBytes: number
}

/** What a template of one kind answers. */
export interface Template {
  readonly stages: ReadonlyArray<Stage>
  readonly scratchBytes?: number
  readonly sharedBytes?: number
}

const compileKind = (module: KernelModule, kernel: Ir.Kernel): Template => {
  switch (kernel.kind) {
    case "map":
      return { stages: compileMap(module, kernel) }
    case "reduce":
      return compileReduce(module, kernel)
    case "scan":
      return { stages: compileScan(module, kernel) }
    case "contract":
      return compileContract(module, kernel)
    case "scatter":
      return { stages: compileScatter(module, kernel) }
    case "rows":
      return compileRows(module, kernel)
    case "custom":
      return compileCustom(module, kernel)
  }
}

/** Turns a kernel into a WebAssembly module. Throws `Unsupported` where there is no code for it. */
export const compileKernel = (kernel: Ir.Kernel, target: Target): CompiledKernel => {
  const module = new KernelModule(target)
  const { stages, scratchBytes = 0, sharedBytes = 0 } = compileKind(module, kernel)
  return { bytes: module.builder.encode(), stages, scratchBytes, sharedBytes }
}
