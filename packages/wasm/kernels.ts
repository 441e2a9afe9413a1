import type { Ir } from "@espalier/tensor"
import type { CompiledKernel } from "./compile_kernel.ts"
import { compileKernel } from "./compile_kernel.ts"
import type { Target } from "./emitter.ts"

/** A stage of a kernel: `(start, end, scratch, shared, base of each operand)`. */
export type StageFunction = (...parameters: ReadonlyArray<number>) => void

/** A kernel ready to run on this thread. */
export interface LoadedKernel {
  readonly id: number
  readonly key: string
  readonly code: CompiledKernel
  readonly module: WebAssembly.Module
  readonly functions: ReadonlyArray<StageFunction>
}

/** Unused kernels that stay compiled, in case a program like an earlier one comes along. */
const spareKernels = 512

/** Instantiates a module over the memory and takes its stages. */
export const instantiate = (
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  names: ReadonlyArray<string>,
): ReadonlyArray<StageFunction> => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  return names.map((name) => exports[name] as StageFunction)
}

/** Compiled kernels by what they compute, shared between programs. */
export class KernelCache {
  readonly #target: Target
  readonly #memory: WebAssembly.Memory
  readonly #onForget: (id: number) => void
  readonly #known = new Map<string, LoadedKernel>()
  readonly #uses = new Map<LoadedKernel, number>()
  #next = 0

  constructor(target: Target, memory: WebAssembly.Memory, onForget: (id: number) => void) {
    this.#target = target
    this.#memory = memory
    this.#onForget = onForget
  }

  /** The code of a kernel. To be given back with {@link release}. */
  acquire(key: string, kernel: Ir.Kernel): LoadedKernel {
    const known = this.#known.get(key)
    const loaded = known ?? this.#compile(key, kernel)
    // The oldest unused kernels come first in the map.
    this.#known.delete(key)
    this.#known.set(key, loaded)
    this.#uses.set(loaded, (this.#uses.get(loaded) ?? 0) + 1)
    return loaded
  }

  release(kernel: LoadedKernel): void {
    const uses = (this.#uses.get(kernel) ?? 1) - 1
    if (uses > 0) this.#uses.set(kernel, uses)
    else this.#uses.delete(kernel)
    let spare = this.#known.size - this.#uses.size - spareKernels
    for (const [key, candidate] of this.#known) {
      if (spare <= 0) break
      if (this.#uses.has(candidate)) continue
      this.#known.delete(key)
      this.#onForget(candidate.id)
      spare--
    }
  }

  #compile(key: string, kernel: Ir.Kernel): LoadedKernel {
    const code = compileKernel(kernel, this.#target)
    const module = new WebAssembly.Module(code.bytes)
    const names = code.stages.map((stage) => stage.name)
    const functions = instantiate(module, this.#memory, names)
    return { id: this.#next++, key, code, module, functions }
  }
}
