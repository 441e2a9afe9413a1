import type { WebGpuOptions } from "./options.ts"

/** An adapter, and the API underneath as far as it is known. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter
  readonly backend: string
}

/** One place to look for a GPU. Answers an adapter, or in a few words why there is none. */
export interface Provider {
  readonly name: string
  readonly find: (options: WebGpuOptions) => Promise<FoundAdapter | string>
}

const softwareNames = /llvmpipe|lavapipe|swiftshader|softpipe|basic render|software/i

/** True for a driver that runs on the CPU. */
export const isSoftware = ({ info }: GPUAdapter): boolean =>
  info.isFallbackAdapter ||
  softwareNames.test(`${info.architecture} ${info.device} ${info.description}`)

/** The adapter in a person's words: `llvmpipe (LLVM 19, 256 bits) · vulkan`. */
export const describeAdapter = ({ adapter, backend }: FoundAdapter): string => {
  const { description, device, vendor, architecture } = adapter.info
  const llvmpipe = /llvmpipe-llvm-(\d+)[-\d]*?-(\d+)-bits/.exec(device)
  const name =
    llvmpipe === null
      ? device || description || `${vendor} ${architecture}`.trim() || "unnamed adapter"
      : `llvmpipe (LLVM ${llvmpipe[1]}, ${llvmpipe[2]} bits)`
  return `${name} · ${backend}`
}

/** Asks a GPU object for an adapter of the kind wanted. */
export const requestAdapter = async (
  gpu: GPU,
  backend: string,
  { software = "allow", powerPreference = "high-performance" }: WebGpuOptions,
): Promise<FoundAdapter | string> => {
  const fallback = software === true
  let adapter = await gpu.requestAdapter({ powerPreference, forceFallbackAdapter: fallback })
  // Some implementations know no fallback adapters and yet have only a software driver.
  if (adapter === null && fallback) adapter = await gpu.requestAdapter()
  if (adapter === null) return `no adapter from ${backend}`
  const found = { adapter, backend }
  if (software === false && isSoftware(adapter)) {
    return `only the software adapter ${describeAdapter(found)}`
  }
  if (fallback && !isSoftware(adapter)) {
    return `only the hardware adapter ${describeAdapter(found)}`
  }
  return found
}
