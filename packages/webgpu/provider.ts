import type { WebGpuOptions } from "./options.ts"
import type { AdapterFacts } from "./templates/strategy.ts"

/** An adapter, and the API underneath as far as it is known. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter
  readonly backend: string
  /** True where shaders can know the number of their subgroup. */
  readonly numberedSubgroups: boolean
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
export const describeAdapter = ({
  adapter,
  backend,
}: Pick<FoundAdapter, "adapter" | "backend">): string => {
  const { description, device, vendor, architecture } = adapter.info
  const llvmpipe = /llvmpipe-llvm-(\d+)[-\d]*?-(\d+)-bits/.exec(device)
  const name =
    llvmpipe === null
      ? device || description || `${vendor} ${architecture}`.trim() || "unnamed adapter"
      : `llvmpipe (LLVM ${llvmpipe[1]}, ${llvmpipe[2]} bits)`
  return `${name} · ${backend}`
}

/** What the table of strategies is looked up with. */
export const factsOf = (
  { adapter, numberedSubgroups }: FoundAdapter,
  { limits }: GPUDevice,
): AdapterFacts => {
  const { vendor, subgroupMinSize } = adapter.info
  const whole = (bytes: number) => Math.floor(bytes / 1024) * 1024
  return {
    software: isSoftware(adapter),
    vendor,
    subgroup: numberedSubgroups && adapter.features.has("subgroups") ? subgroupMinSize : 0,
    maximumInvocations: limits.maxComputeInvocationsPerWorkgroup,
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    bindingBytes: whole(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)),
  }
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
  // Absent from browsers that are older than subgroups.
  const language = gpu.wgslLanguageFeatures as ReadonlySet<string> | undefined
  const numberedSubgroups = language?.has("subgroup_id") ?? false
  const found = { adapter, backend, numberedSubgroups }
  if (software === false && isSoftware(adapter)) {
    return `only the software adapter ${describeAdapter(found)}`
  }
  if (fallback && !isSoftware(adapter)) {
    return `only the hardware adapter ${describeAdapter(found)}`
  }
  return found
}
