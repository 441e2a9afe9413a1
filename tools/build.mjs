// Builds the package in the current folder: plain tsc into an empty dist, so that nothing is
// published whose source is gone.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { root, run, windows } from "./set-up.mjs"

rmSync("dist", { recursive: true, force: true })
process.exitCode = await run(
  join(root, "node_modules", ".bin", "tsc"),
  ["-p", "tsconfig.build.json"],
  { shell: windows },
)
