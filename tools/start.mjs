// `npm start -- ARGS` is `espalier ARGS`, run from source; without arguments, the demo.
import { join } from "node:path"
import { root, run, setUp } from "./set-up.mjs"

const given = process.argv.slice(2)
const { node, env } = await setUp()

// npm moves to the package's folder; relative paths are meant from where the person stands.
const throughNpm =
  env.npm_lifecycle_event === "start" && env.npm_package_json === join(root, "package.json")

process.exitCode = await run(
  node,
  [
    "--conditions=@espalier/source",
    join(root, "apps", "cli", "main.ts"),
    ...(given.length === 0 ? ["demo"] : given),
  ],
  { env, cwd: (throughNpm && env.INIT_CWD) || process.cwd() },
)
