type Export = (...parameters: ReadonlyArray<number>) => void

/**
 * Makes every function that a WebAssembly module exports stoppable: once the returned switch is
 * thrown, kernels return at once, and the time of a run is the host's work alone.
 */
export const installEmptyKernels = (): (() => void) => {
  let empty = false
  const stoppable =
    (run: Export): Export =>
    (...parameters) => {
      if (!empty) run(...parameters)
    }
  const { Instance } = WebAssembly
  const replacement = function (module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    const { exports } = new Instance(module, imports)
    const wrapped = Object.entries(exports).map(([name, value]) => [
      name,
      typeof value === "function" ? stoppable(value as Export) : value,
    ])
    return { exports: Object.fromEntries(wrapped) }
  }
  Object.defineProperty(WebAssembly, "Instance", { value: replacement, configurable: true })
  return () => {
    empty = true
  }
}
