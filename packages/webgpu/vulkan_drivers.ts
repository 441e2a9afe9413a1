import type * as FileSystem from "node:fs"
import type { WebGpuOptions } from "./options.ts"

const list = (fs: typeof FileSystem, folder: string, pattern: RegExp): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(folder).filter((name) => pattern.test(name))
  } catch {
    return []
  }
}

/**
 * On Linux: why Dawn could find no adapter of the kind wanted, judged by the driver manifests that
 * the Vulkan loader reads and by device files; `undefined` where it might.
 */
export const driverProblem = ({ software }: WebGpuOptions): string | undefined => {
  const fs = process.getBuiltinModule("node:fs")
  const { env } = process
  const named = [env["VK_DRIVER_FILES"], env["VK_ICD_FILENAMES"]].find((value) => value)
  const split = (value: string | undefined) => (value ?? "").split(":").filter((part) => part)
  const folders = [
    ...split(env["XDG_CONFIG_HOME"] ?? `${env["HOME"] ?? ""}/.config`),
    ...split(env["XDG_CONFIG_DIRS"] ?? "/etc/xdg"),
    "/etc",
    "/usr/local/etc",
    ...split(env["XDG_DATA_HOME"] ?? `${env["HOME"] ?? ""}/.local/share`),
    ...split(env["XDG_DATA_DIRS"] ?? "/usr/local/share:/usr/share"),
    "/usr/local/share",
    "/usr/share",
    "/run/opengl-driver/share",
  ].map((folder) => `${folder}/vulkan/icd.d`)
  const driver =
    named === undefined
      ? folders.some((folder) => list(fs, folder, /\.json$/).length > 0)
      : split(named).some((file) => fs.existsSync(file))
  if (!driver && env["VK_ADD_DRIVER_FILES"] === undefined) {
    return named === undefined
      ? "no Vulkan driver (no manifest in /usr/share/vulkan/icd.d or the other usual folders)"
      : `no Vulkan driver at ${named}`
  }
  const hardware =
    list(fs, "/dev/dri", /^(renderD|card)/).length > 0 ||
    list(fs, "/dev", /^(nvidia|dxg|kgsl|mali)/).length > 0
  return software === false && !hardware ? "no GPU device file (/dev/dri, /dev/nvidia*)" : undefined
}
