import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { findAdapter } from "./device.ts"
import { describeAdapter, isSoftware } from "./provider.ts"
import { driverProblem } from "./vulkan_drivers.ts"

const adapterWith = (info: Partial<GPUAdapterInfo>) =>
  ({
    info: {
      vendor: "",
      architecture: "",
      device: "",
      description: "",
      isFallbackAdapter: false,
      ...info,
    },
  }) as unknown as GPUAdapter

/** Runs `body` with an environment variable set. */
const withVariable = <A>(name: string, value: string, body: () => A): A => {
  const before = process.env[name]
  process.env[name] = value
  try {
    return body()
  } finally {
    if (before === undefined) delete process.env[name]
    else process.env[name] = before
  }
}

describe("adapters", () => {
  it("are known as software by any of their names", () => {
    assert.isTrue(isSoftware(adapterWith({ device: "llvmpipe-llvm-19-1-7-256-bits-" })))
    assert.isTrue(isSoftware(adapterWith({ description: "SwiftShader Device (LLVM 16)" })))
    assert.isTrue(isSoftware(adapterWith({ isFallbackAdapter: true })))
    assert.isFalse(isSoftware(adapterWith({ vendor: "nvidia", architecture: "hopper" })))
  })
  it("are described for people", () => {
    const llvmpipe = adapterWith({ device: "llvmpipe-llvm-19-1-7-256-bits-" })
    assert.strictEqual(
      describeAdapter({ adapter: llvmpipe, backend: "vulkan" }),
      "llvmpipe (LLVM 19, 256 bits) · vulkan",
    )
    const named = adapterWith({ device: "Apple M3" })
    assert.strictEqual(describeAdapter({ adapter: named, backend: "metal" }), "Apple M3 · metal")
    const vague = adapterWith({ vendor: "intel", architecture: "xe" })
    assert.strictEqual(describeAdapter({ adapter: vague, backend: "d3d12" }), "intel xe · d3d12")
  })
})

describe("no adapter", () => {
  it("is seen before Dawn is asked, where no driver is installed", () => {
    const problem = withVariable("VK_DRIVER_FILES", "/nowhere/driver.json", () => driverProblem({}))
    assert.strictEqual(problem, "no Vulkan driver at /nowhere/driver.json")
  })
  it.effect("is an error that says where it looked and what to install", () =>
    Effect.gen(function* () {
      if (process.platform !== "linux") return
      const before = process.env["VK_DRIVER_FILES"]
      process.env["VK_DRIVER_FILES"] = "/nowhere/driver.json"
      const error = yield* Effect.flip(findAdapter({})).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (before === undefined) delete process.env["VK_DRIVER_FILES"]
            else process.env["VK_DRIVER_FILES"] = before
          }),
        ),
      )
      assert.strictEqual(error._tag, "DeviceUnavailable")
      assert.deepStrictEqual(error.lookedFor, [
        "navigator.gpu (not there)",
        "the npm package webgpu (no Vulkan driver at /nowhere/driver.json)",
        "the npm package @kmamal/gpu (not installed)",
      ])
      assert.include(error.message, "npm i webgpu")
    }),
  )
})
