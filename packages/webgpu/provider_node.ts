import type { create } from "webgpu"
import type { WebGpuOptions } from "./options.ts"
import type { FoundAdapter, Provider } from "./provider.ts"
import { requestAdapter } from "./provider.ts"
import { driverProblem } from "./vulkan_drivers.ts"

/** What both bindings of Dawn look like. */
interface Binding {
  readonly create: typeof create
}

/**
 * The objects that `create()` returned. Once one is collected, the process hangs or crashes, so
 * they are kept for ever, shared by all copies of this module.
 */
const created: Map<string, GPU> = ((
  globalThis as { __espalierGpu?: Map<string, GPU> }
).__espalierGpu ??= new Map())

const backends: Partial<Record<string, string>> = { darwin: "metal", win32: "d3d12" }

const find = async (
  packageName: string,
  options: WebGpuOptions,
): Promise<FoundAdapter | string> => {
  const { process } = globalThis as { readonly process?: NodeJS.Process }
  if (process?.versions?.node === undefined) return "not Node"
  let binding: Partial<Binding> & { readonly default?: Binding }
  try {
    binding = await import(/* @vite-ignore */ packageName)
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    return /cannot find (package|module)|failed to (load|resolve)|does the file exist/i.test(text)
      ? "not installed"
      : `does not load: ${text.split("\n")[0]}`
  }
  const createGpu = binding.create ?? binding.default?.create
  if (createGpu === undefined) return "installed, but has no create()"
  // Dawn prints warnings of its own where nothing can be found: do not ask then.
  const problem = process.platform === "linux" ? driverProblem(options) : undefined
  if (problem !== undefined) return problem
  try {
    let gpu = created.get(packageName)
    if (gpu === undefined) {
      gpu = createGpu([])
      created.set(packageName, gpu)
    }
    return await requestAdapter(gpu, backends[process.platform] ?? "vulkan", options)
  } catch (cause) {
    return cause instanceof Error ? cause.message.split("\n")[0] : String(cause)
  }
}

/** Dawn as the npm packages `webgpu` and `@kmamal/gpu` bring it. */
export const nodeProviders: ReadonlyArray<Provider> = ["webgpu", "@kmamal/gpu"].map((name) => ({
  name: `the npm package ${name}`,
  find: (options) => find(name, options),
}))
