/**
 * The rules of the house in one place. `architecture.ts` enforces them; a change here is a change
 * of the architecture and wants a page in docs/decisions.
 */

/** Any package may import these. They know no tensor. */
export const everywhere = ["runtime", "evaluation"]

/** What else each package may import. A package without a row has the row of `ordinary`. */
export const arrows: Readonly<Record<string, ReadonlyArray<string>>> = {
  // The core.
  runtime: [],
  evaluation: [],
  tensor: [],
  // Devices.
  wasm: ["tensor"],
  webgpu: ["tensor"],
  // Models.
  nn: ["tensor"],
  models: ["tensor", "nn"],
  calibration: ["tensor", "nn", "models"],
  // Methods: none imports another.
  pruning: ["tensor", "nn", "models", "calibration"],
  quantization: ["tensor", "nn", "models", "calibration"],
  "linear-attention": ["tensor", "nn", "models"],
  "state-space": ["tensor", "nn", "models"],
  "vision-language": ["tensor", "nn", "models"],
  "kg-summarization": ["tensor", "nn", "models", "llm"],
  misinformation: ["tensor", "nn", "models", "llm"],
  trading: ["tensor", "nn", "models", "llm"],
  // What knows no tensor.
  llm: [],
  pipeline: [],
  cluster: ["pipeline"],
  report: [],
}

export const ordinary = ["tensor", "nn", "models"]

/** Imported by applications, tools and tests only. */
export const devices = ["wasm", "webgpu", "ceph", "postgres", "testing", "test-models"]

/** Files that are allowed to see every package. */
export const seesEverything = ["apps/**", "tools/**"]

/** Files that never reach a user of the packages. */
export const testFiles = ["**/*_test.ts", "**/testing/**", "**/*.config.ts"]

/** Files, besides tests, that may import Node's own modules. Everything else also runs in a browser. */
export const seesNode = [
  "apps/**",
  "tools/**",
  // The hash that addresses the content of the store, and the processes that share it.
  "packages/pipeline/sha256.ts",
  "packages/pipeline/store/process_name.ts",
  // Reads the code of steps where it lies.
  "packages/pipeline/code/**",
  // Starts processes, listens at ports and talks to a database.
  "packages/cluster/**",
  // Takes its GPU from Dawn, and says which drivers it found where it cannot.
  "packages/webgpu/**/*node*.ts",
  "packages/webgpu/vulkan_drivers.ts",
  // Starts worker threads.
  "packages/wasm/**/*worker*.ts",
  "packages/wasm/threads.ts",
  "packages/wasm/workers/**",
]

/** Text that no TypeScript file may hold, tests included. */
export const forbiddenText: ReadonlyArray<{
  readonly pattern: RegExp
  readonly say: string
  readonly except?: ReadonlyArray<string>
}> = [
  { pattern: /@ts-(?:ignore|nocheck)\b/, say: "gives up type checking; say the type instead" },
  {
    pattern: /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.only\(/,
    say: "leaves every other test of the file out",
  },
  {
    pattern: /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(?:skip|todo)\(/,
    say: "is a test that never runs; skip under a condition, with a word why (context.skip)",
    // A helper that skips what this machine cannot run.
    except: ["**/testing/**"],
  },
  { pattern: /\b(?:TODO|FIXME|XXX)\b/, say: "is an open end; finish it or write an issue" },
]

/** Files that every published package has. */
export const requiredFiles = ["README.md", "LICENSE", "mod.ts"]

/** The exports condition under which the sources themselves are loaded. */
export const sourceCondition = "@espalier/source"

export const scope = "@espalier/"
